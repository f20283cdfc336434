"""What every field of the price files means: editors show it, from the JSON Schemas. The READMEs explain the rules."""

from collections.abc import Mapping
from typing import Final

_DATED: Final = {
    "valid_from": "From this instant on (inclusive): a date is midnight UTC, a timestamp says its offset.",
    "valid_to": "Until this instant (exclusive). Absent: until something else is written.",
}
_SOURCED: Final = {
    "source": "Where it was read: the provider's page, a contract.",
    "checked": "The day it was read there.",
}
_PROVIDER: Final = {"provider": "Id of the provider in the price book."}
_MODELS: Final = {"models": "Ids of models, or patterns of them."}
_HOURLY: Final = {
    "regions": "Only in these regions of the provider; absent: in all.",
    "instance_types": "Only for these types of instances; absent: for all.",
    "home": "Only for these regions and for an event that names none; absent: the head's.",
    "sizes": "Only for these types of instances and for an event that names none; absent: for all.",
    "usd_per_hour": "USD per device or vCPU and hour, on demand.",
    "purchase_options": "What it costs as spot, reserved or committed; what is not listed has no price.",
}

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "CorrectionFile": _PROVIDER
    | {
        "entries": "What the provider's pages said, in order: a later one speaks after an earlier one.",
        "aliases": "Ids that clients use and that mean an id of the book.",
        "moving": "Ids that move without notice: never priced unless the served model is reported.",
    },
    "Entry": _DATED
    | _SOURCED
    | {
        "reason": "What is wrong or missing in the base data.",
        "models": 'Ids of the models it is for; ["*"] is all of the provider.',
        "exact": "True: only the event's own id counts, not the id of the book that it means.",
        "when": "Conditions that must all hold: a value, a list of values, or '*'. Absent: the standard price.",
        "time_of_day": "Only between these times of the day, in UTC.",
        "weekdays": "Only on these days of the week, in UTC.",
        "except_dates": "Days, in UTC, on which it does not hold.",
        "prices": "Price keys and USD per what the key says; null: there is no such price.",
        "replace": "True: these prices are all there is; everything else of the base is dropped.",
        "multiplier": "Times the standard price, instead of prices.",
        "meters": "The price keys that the multiplier is for; absent: all prices of tokens.",
        "bills_as_text": "Meters that are billed at the text's price.",
        "by_region": "True: outside of the provider's home regions only what names a region has a price.",
    },
    "Alias": _DATED
    | _SOURCED
    | {
        "reason": "Why it is needed.",
        "alias": "The id as services report it; an ARN or a deployment's name too.",
        "model": "The id of the book that it means.",
    },
    "Moving": _SOURCED
    | {"id": "The id that moves.", "priced_as": "The id whose price it has, where it is sold as a product of its own."},
    "Hours": {"from": "HH:MM in UTC, inclusive.", "to": "HH:MM in UTC, exclusive; may lie past midnight."},
    "Tier": {
        "start": "Above so many input tokens the whole request costs it.",
        "price": "USD, as the key says.",
    },
    "TieredAmount": {"base": "The price up to the first tier.", "tiers": "Prices above their starts."},
    "OverlayFile": {"overlays": "Agreed terms: the most specific scope wins, among equals the last."},
    "Overlay": _DATED
    | {
        "name": "Says in words which agreement it is; must be unique.",
        "scope": "What it is for; nothing given is everything.",
        "contract": "Contracted prices by price key, in USD per what the key says.",
        "discount_percent": "So many percent off the list price.",
        "multiplier": "Times the list price.",
        "effective_multiplier": "Times the contracted price is the effective one: commitments spread over their use.",
        "source": "The agreement.",
    },
    "Scope": _PROVIDER
    | _MODELS
    | {
        "skus": "Ids of SKUs, or patterns of them.",
        "attribution": "Fields of the attribution and the values that they must have.",
    },
    "ProvidersFile": {
        "names": "Id of a provider and the names that clients and gateways use for it.",
        "servers": "Servers that run models on one's own machines.",
        "gateways": "Providers that pass calls on: the seller is the first part of the id.",
        "id_prefixes": "Prefixes of ids that mean nothing for the price.",
        "served_elsewhere": "Models that such a server hands on to who sells them.",
        "free_endings": "Endings of ids that are free of charge.",
        "routing_endings": "Endings of ids that choose a route or add a tool.",
        "uses_tools": "Models that call a tool of themselves and pay for its calls.",
        "service_tiers": "Words for service tiers: provider (* is all), tier, words.",
        "own_prices": "Sellers with prices of their own for others' models.",
        "regions": "Regions of the providers whose prices depend on them.",
        "deployments": "Words for deployments: provider, word, the conditions that it means.",
        "explained": "What to do about conditions that have no price per token.",
        "neutral": "Values of conditions that are the default of their kind.",
        "defaults": "Values of conditions that do not move the price of some models.",
        "known": "Values of conditions that exist and may have no price.",
        "bills_as_text": "Meters that a provider bills as text.",
        "writes": "Models that also write what is no text, at a price that is not listed by the token.",
        "minimums": "Calls are billed as if they had used so much at least.",
        "cache_write_ttl": "The lifetime that a price of cache writes without one is for.",
    },
    "ServedElsewhere": _PROVIDER | _MODELS | _SOURCED,
    "Defaults": _PROVIDER | _MODELS | {"conditions": "Conditions and their values."},
    "WriteTtl": _PROVIDER | _MODELS | {"ttl": "The lifetime that the price without one is for."},
    "BillsAsText": _PROVIDER | _MODELS | _SOURCED | {"meters": "The meters."},
    "Writes": _PROVIDER
    | _MODELS
    | _SOURCED
    | {"kind": "What it writes: an event must say how much of the output it is."},
    "UsesTool": _PROVIDER
    | _MODELS
    | _SOURCED
    | {"tool": "The tool.", "per_request": "How many calls a request makes, where that is always the same."},
    "OwnPrices": _PROVIDER | _SOURCED | {"makers": "Providers whose prices are never taken for their models there."},
    "ProviderRegions": {
        "default": "The region whose price an event without one gets.",
        "home": "Regions and groups in which the price without a region holds.",
        "spaced": "True if display names mean the same as ids: East US is eastus.",
        "groups": "Groups of regions, the narrowest first; an entry can name a group as a region.",
        "id_prefixes": "Groups that ids begin with, before a dot.",
        "endpoints": "Group, and the endpoint that a call to one of its regions uses.",
        "closed": "True if a region that stands in no group is unknown, even if no price depends on it.",
        "must_say": "Group, and a condition that an event from there must name: its default is not sold there.",
        "not_sold": "Group, and the conditions that are not sold there.",
    },
    "Explained": {
        "conditions": "Conditions and their values; any of them.",
        "detail": "What to say or to declare: it stands behind the reason.",
    },
    "FreeEnding": _PROVIDER | _SOURCED | {"ending": "What such an id ends with."},
    "RoutingEnding": _PROVIDER
    | _SOURCED
    | {"ending": "What such an id ends with.", "adds": "A tool that it switches on: its calls must be reported."},
    "Minimum": _PROVIDER
    | _MODELS
    | _SOURCED
    | {"meter": "The meter.", "minimum": "How much of it is billed at least, in its unit."},
    "RateCardFile": _SOURCED
    | {
        "provider": "Whose prices they are; the same provider's built-in card lies below.",
        "names": "Other names that clients use for the provider.",
        "home": "Regions of the hourly prices that name none, and of an event that names none; absent: all regions.",
        "accelerators": "GPUs and the like, per device and hour.",
        "cpus": "Virtual CPUs, per vCPU and hour.",
        "skus": "Anything else, per unit.",
        "self_hosted": "Models on one's own machines: their tokens cost nothing, the pool's GPU time does.",
    },
    "Accelerator": _DATED
    | _SOURCED
    | _HOURLY
    | {
        "names": "Names of the device, as services report it.",
        "cpu_included": "True: the price is of the instance, and its vCPU seconds cost nothing more.",
    },
    "Cpu": _DATED | _SOURCED | _HOURLY,
    "SelfHosted": _DATED
    | {
        "provider": "The provider that events name: vllm, ollama, a word of your own. Absent: the card's.",
        "models": "Ids of models, or patterns of them (* any text, ? one character); absent: all.",
        "pool": "The pool whose GPUs they run on; it stands in the receipt.",
    },
    "TasksFile": {"tasks": "Type of task, in your own words, and the models that do it."},
    "TaskModel": {
        "provider": "The provider, as services report it.",
        "model": "The model, as services ask for it.",
        "quality": "How well it does the task, on your own scale: more is better.",
        "capabilities": "What it can do, in your own words: tools, json, image_input.",
        "context_tokens": "Most tokens of input and output together.",
        "max_output_tokens": "Most tokens of an answer.",
    },
    "Purchase": {"usd_per_hour": "USD per hour.", "percent_off": "Or so many percent off the price on demand."},
    "SkuPrice": _DATED
    | _SOURCED
    | {
        "sku": "The SKU, as services report it.",
        "unit": "The unit that the price is for; events must have the same.",
        "usd_per_unit": "USD per unit.",
        "regions": "Only in these regions of the provider; absent: in all.",
    },
}
"""Model -> field -> its meaning."""
