-- Which of these events were charged once.
SELECT event_id
FROM booked_ids
WHERE event_id IN {ids:Array(String)}
GROUP BY event_id
HAVING count() = 1;
