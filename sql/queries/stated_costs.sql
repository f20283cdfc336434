-- Our cost beside what the provider says, by provider and model, largest difference first (last 30 days).
SELECT
    provider,
    model_name,
    sum(stated_costs.compared_events) AS compared_events,
    sum(stated_costs.our_cost) AS our_cost,
    sum(stated_costs.stated_for_them) AS stated_for_them,
    sum(stated_costs.difference) AS difference,
    if(stated_for_them = 0, NULL, round(toFloat64(difference) / toFloat64(stated_for_them) * 100, 2)) AS percent,
    sum(stated_costs.only_stated_events) AS only_stated_events,
    sum(stated_costs.only_stated_cost) AS only_stated_cost
FROM stated_costs
WHERE day > today() - 30
GROUP BY
    provider, model_name
ORDER BY abs(difference) DESC, only_stated_cost DESC
LIMIT 50;
