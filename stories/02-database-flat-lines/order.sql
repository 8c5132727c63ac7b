-- What one order does in the database, for a capacity plan.
BEGIN;
UPDATE counters SET value = value + 1 WHERE name = 'orders' RETURNING value;
SELECT pg_sleep(0.02); -- the payment provider answers
INSERT INTO orders (number, payment) VALUES (0, 'payment-0');
COMMIT;
