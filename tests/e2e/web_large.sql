-- Puts 100,000 more candidates with a training each into a database of the small search of lib.sh, as if they had been searched.
BEGIN;
CREATE TEMP TABLE many AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
SELECT i, (SELECT max(id) FROM candidate) + i AS candidate, (SELECT max(id) FROM trial) + i AS trial,
       (SELECT max(id) FROM attempt) + i AS attempt, (SELECT proposals FROM counters) + i - 1 AS proposal,
       (i * 2654435761 % 100000) / 125000.0 AS accuracy, 'max(x,sin(' || i || '*x)*tanh(x))' AS activation FROM n;
INSERT INTO candidate SELECT candidate, activation, printf('%064x', i), 0, proposal, 0, 100, 1, 1, 0, 0, accuracy, NULL, 2 - accuracy,
       118282, 0, 0.5, 0.2 + (i * 40503 % 1000) / 200.0, accuracy FROM many;
INSERT INTO proposal SELECT proposal, 'new', 'usable', candidate, activation, '[1,2,3,4,5]', -3.0, 1, accuracy FROM many;
INSERT INTO trial SELECT trial, candidate, 0, 1234, 0, 100, 'done', 0, attempt, 1795624041095 + i, 100, CAST(accuracy * 5000 AS INTEGER), 5000,
       2 - accuracy, 0.5, 118282, 0, 0.5, 9000, 1.0, 100000000 FROM many;
INSERT INTO attempt SELECT attempt, trial, 1, 'taken', 1795624041095 + i, 1795624041500 + i, '' FROM many;
UPDATE counters SET proposals = proposals + 100000, candidates = candidates + 100000, trials = trials + 100000, done = done + 100000;
COMMIT;
