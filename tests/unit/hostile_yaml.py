"""Example files of every kind of configuration, and what can be done to a file so that it is wrong."""

# ruff: noqa: E501 - lists of values read best as they are

from typing import Final

from hypothesis import strategies as st

from stream_jobs.base.checkout import ROOT

_CODE: Final = ROOT / "stream_jobs"
EXAMPLE_CONFIG: Final = ROOT / "producers" / "spendstream_traffic" / "simulate" / "example_config"
EXAMPLES: Final = {
    "attribution.yaml": _CODE / "attribution" / "example_attribution.yaml",
    "budgets.yaml": _CODE / "budget_terms" / "example_budgets.yaml",
    "currencies.yaml": _CODE / "currencies" / "example_currencies.yaml",
    "events.yaml": _CODE / "planned" / "example_events.yaml",
    "alerts.yaml": _CODE / "alerts" / "example_alerts.yaml",
    "overlays/contracts.yaml": EXAMPLE_CONFIG / "overlays" / "contracts.yaml",
    "rate_cards/aws.yaml": _CODE / "pricing" / "data" / "rate_cards" / "aws.yaml",
    "corrections/deepseek.yaml": _CODE / "pricing" / "data" / "corrections" / "deepseek.yaml",
}
"""By the place in a config folder."""

VALUES: Final = (
    *("2026-11-31", "2026-02-30T00:00:00Z", "0001-01-01", "9999-12-31", "0000-00-00", "2026-11-01 25:00:00"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "'0001-01-01T00:00:00+23:59'", "12:30:45", "1_0:99:1"),
    *("1e999999999", "-1e-999999999", "'1e999999999'", "'1e-999999999'", ".inf", ".nan", "'NaN'", "'Infinity'", "0x"),
    *("9" * 60, "9" * 5000, "0x" + "f" * 9000, "0b" + "1" * 99, "0777", "-0", "+.e+1", "1__", "_", "0o17", "'٣'", "'1_0'"),
    *("!!int x", "!!int ''", "!!float x", "!!float ''", "!!timestamp x", "!!timestamp 2026-13-01", "!!bool maybe"),
    *("!!binary '%%%'", "!!binary aGk=", "!!set {a, b}", "!!omap [a: 1]", "!!pairs [a: 1]", "!!null x", "!!str", "!x y"),
    *("!!python/object/apply:os.system [id]", "!!python/name:os.system", "!!map [1]", "!!seq {a: 1}", "!!int [1]"),
    *("{<<: 5}", "{<<: {a: 1}}", "{[a]: b}", "{{a: 1}: b}", "{? [a, b] : c}", "{a: 1, a: 2}", "{1: 2, 1.0: 3}", "{null: 1}"),
    *("=", "<<", "~", "null", "yes", "on", "[]", "{}", "''", "[[]]", "{a: {a: {a: {}}}}", "&a [*a]", "*nowhere", "*a"),
    *("../../etc/passwd", "/etc/passwd", "'a\\0b'", '"a\\0b"', '"\\ud800"', '"\\U00110000"', '"\\x1b]52;c;\\a"', "America", "posixrules"),
    *("[" * 60, "[" * 3000, "{a: " * 300, "- " * 200, "|", ">", "%YAML 9.9", "---", "...", "? ", ": ", "`", "@x", "\t", "#"),
    *("'[z-a]'", "'[[:x:]]'", "'***************a'", "'(?<x'", "'(((((((((a{99}){99}){99}))))))'", "'[!]'", "'\\'", "'*[!-]]'"),
    *("x" * 200, "x" * 5000, "-1", "0", "1", "1.5", "100", "10000000000000000000", "\u2028", "\ufeff", "\u0085", "true", "ok: 1"),
    *("http://[::1", "https://a:99999", "https://u:p@h/", "'${team}'", "'${'", "0s", "999999d", "5m", "7d", "EUR", "2000-01-01"),
)  # fmt: skip
"""To stand where a value stood; whatever it is, the file can be used or cannot."""

BYTES: Final = (
    *(b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r", b"\x1b[2J", b"\x7f", b"\xc2\x85", b"\n---\n"),
    *(b"\n...\n", b"\n%TAG ! x\n", b"\t", b"  ", b"\n", b": ", b"- ", b"{", b"}", b"[", b"]", b"&a ", b"*a ", b"'", b'"'),
    *(b"#", b"!!", b"|\n", b">\n", b"? ", b"<<: *a\n", b"\xf0\x9f\x98\x80", b"\xcc\x81" * 50, b"", b"\n" * 300),
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """The file with values replaced, and bytes put in, taken out or cut off."""
    lines = content.decode().split("\n")
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        key, colon, _ = lines[place].partition(": ")
        value = draw(st.sampled_from(VALUES))
        lines[place] = f"{key}: {value}" if colon else f"{lines[place][:40]} {value}"
    raw = "\n".join(lines).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 2))):
        begin = draw(st.integers(0, len(raw)))
        end = begin + draw(st.integers(0, 30))
        raw = raw[:begin] + draw(st.sampled_from(BYTES)) + raw[end:]
    return raw[: draw(st.integers(0, len(raw)))] if draw(st.integers(0, 9)) == 0 else raw


def bomb(levels: int = 30, width: int = 10) -> str:
    """A few lines that stand for width ** levels values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"
