-- The results database of actsearch, version 1. docs/database.md says what each column means, for people.
--
-- Tables mirror coordinator/rows.h: a column is named as the field it holds. Enums are stored as their words,
-- booleans as 0 or 1, hashes as lower-case hexadecimal text, a real that is not there as NULL, times as Unix
-- time in ms, and a reference to nothing as NULL (0 in rows.h). The views are the public interface.
--
-- Words are checked with OR: of IN with three or more, SQLite makes a table of its own for each row that is written.

PRAGMA application_id = 1097036915; -- 'Acts'

CREATE TABLE experiment (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    name             TEXT NOT NULL,
    text             TEXT NOT NULL,
    numerics         INTEGER NOT NULL,
    trainer          TEXT NOT NULL,
    data_hash        TEXT NOT NULL,
    epoch            INTEGER NOT NULL CHECK (epoch >= 0),
    target_candidates INTEGER NOT NULL,
    started_ms       INTEGER NOT NULL,
    finished_ms      INTEGER NOT NULL,
    finished_because TEXT NOT NULL,
    paused           INTEGER NOT NULL CHECK (paused IN (0, 1))
) STRICT;

CREATE TABLE counters (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    proposals  INTEGER NOT NULL,
    candidates INTEGER NOT NULL,
    "references" INTEGER NOT NULL,
    duplicates INTEGER NOT NULL,
    rejected   INTEGER NOT NULL,
    -- by reason: a column for each verdict but "usable", spaces as underscores
    rejected_constant         INTEGER NOT NULL,
    rejected_not_finite       INTEGER NOT NULL,
    rejected_slope_not_finite INTEGER NOT NULL,
    rejected_too_large        INTEGER NOT NULL,
    trials   INTEGER NOT NULL,
    ready    INTEGER NOT NULL,
    leased   INTEGER NOT NULL,
    done     INTEGER NOT NULL,
    diverged INTEGER NOT NULL,
    failed   INTEGER NOT NULL,
    finals      INTEGER NOT NULL,
    finals_open INTEGER NOT NULL,
    workers  INTEGER NOT NULL,
    CHECK (trials = ready + leased + done + diverged + failed),
    CHECK (rejected = rejected_constant + rejected_not_finite + rejected_slope_not_finite + rejected_too_large)
) STRICT;

CREATE TABLE worker (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,
    host      TEXT NOT NULL,
    pid       INTEGER NOT NULL,
    slots     INTEGER NOT NULL,
    trainer   TEXT NOT NULL,
    kernels   TEXT NOT NULL,
    cpu       TEXT NOT NULL,
    key       TEXT NOT NULL,
    numerics  INTEGER NOT NULL,
    connected INTEGER NOT NULL CHECK (connected IN (0, 1)),
    first_ms  INTEGER NOT NULL,
    last_ms   INTEGER NOT NULL,
    results   INTEGER NOT NULL,
    lost      INTEGER NOT NULL,
    shut_out_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE candidate (
    id             INTEGER PRIMARY KEY,
    activation     TEXT NOT NULL UNIQUE,
    fingerprint    TEXT NOT NULL CHECK (length(fingerprint) = 64),
    reference      INTEGER NOT NULL CHECK (reference IN (0, 1)),
    first_proposal INTEGER NOT NULL CHECK ((first_proposal = -1) = reference),
    rung           INTEGER NOT NULL,
    steps          INTEGER NOT NULL,
    trials         INTEGER NOT NULL,
    seeds          INTEGER NOT NULL,
    diverged       INTEGER NOT NULL,
    failed         INTEGER NOT NULL,
    accuracy_mean  REAL,
    accuracy_sd    REAL,
    validation_loss_mean REAL,
    parameters     INTEGER NOT NULL,
    betas          INTEGER NOT NULL,
    seconds        REAL,
    cost_ns        REAL,
    reward         REAL
) STRICT;

-- The order of the view `ranking`, so that its first rows cost no sort however many there are.
CREATE INDEX candidate_ranking ON candidate
    (steps DESC, accuracy_mean DESC, validation_loss_mean IS NULL, validation_loss_mean, activation)
    WHERE seeds > 0;

-- The few that are looked for wherever they stand.
CREATE INDEX candidate_references ON candidate (activation) WHERE reference = 1;

CREATE TABLE proposal (
    number     INTEGER PRIMARY KEY,
    outcome    TEXT NOT NULL CHECK (outcome = 'new' OR outcome = 'duplicate' OR outcome = 'rejected'),
    verdict    TEXT NOT NULL CHECK (verdict = 'usable' OR verdict = 'constant' OR verdict = 'not finite' OR
                    verdict = 'slope not finite' OR verdict = 'too large'),
    candidate  INTEGER REFERENCES candidate (id),
    activation TEXT NOT NULL,
    tokens     TEXT NOT NULL CHECK (tokens GLOB '[[]*]'),
    log_probability REAL,
    policy_version  INTEGER NOT NULL,
    reward     REAL,
    CHECK ((candidate IS NULL) = (outcome = 'rejected')),
    CHECK ((verdict = 'usable') = (outcome <> 'rejected'))
) STRICT;

-- What a start must read of the proposals: those that wait for their reward.
CREATE INDEX proposal_waiting ON proposal (number) WHERE reward IS NULL;
CREATE INDEX proposal_candidate ON proposal (candidate) WHERE candidate IS NOT NULL;

CREATE TABLE trial (
    id        INTEGER PRIMARY KEY,
    candidate INTEGER NOT NULL REFERENCES candidate (id),
    replica   INTEGER NOT NULL,
    seed      INTEGER NOT NULL,
    rung      INTEGER NOT NULL,
    steps     INTEGER NOT NULL,
    state     TEXT NOT NULL CHECK (state = 'ready' OR state = 'leased' OR state = 'done' OR state = 'diverged' OR
                    state = 'failed'),
    lost      INTEGER NOT NULL,
    closed_by INTEGER REFERENCES attempt (id) DEFERRABLE INITIALLY DEFERRED,
    closed_ms INTEGER NOT NULL,
    step      INTEGER NOT NULL,
    correct   INTEGER NOT NULL,
    validation_count INTEGER NOT NULL,
    validation_loss  REAL,
    train_loss       REAL,
    parameters       INTEGER NOT NULL,
    betas            INTEGER NOT NULL,
    seconds          REAL,
    images_per_second REAL,
    cost_ns          REAL,
    peak_memory_bytes INTEGER NOT NULL,
    UNIQUE (candidate, steps, replica)
) STRICT;

-- The foreign key is deferred: without this, each new attempt would look through all trials for those that wait
-- for it.
CREATE INDEX trial_closed_by ON trial (closed_by);

CREATE TABLE attempt (
    id        INTEGER PRIMARY KEY,
    trial     INTEGER NOT NULL REFERENCES trial (id),
    worker    INTEGER NOT NULL REFERENCES worker (id),
    state     TEXT NOT NULL CHECK (state = 'leased' OR state = 'taken' OR state = 'lapsed' OR state = 'unclaimed' OR
                    state = 'failed' OR state = 'returned' OR state = 'cancelled' OR
                    state = 'agreed' OR state = 'differed' OR state = 'withdrawn'),
    leased_ms INTEGER NOT NULL,
    ended_ms  INTEGER NOT NULL,
    reason    TEXT NOT NULL
) STRICT;

CREATE INDEX attempt_trial ON attempt (trial);
CREATE INDEX attempt_failures ON attempt (ended_ms, id)
    WHERE state = 'lapsed' OR state = 'failed' OR state = 'differed' OR state = 'withdrawn';

-- The learning curve of a trial: point 0, 1, 2, … in the order in which the trainer reported them.
CREATE TABLE curve (
    trial INTEGER NOT NULL REFERENCES trial (id),
    point INTEGER NOT NULL,
    step  INTEGER NOT NULL,
    loss  REAL,
    PRIMARY KEY (trial, point)
) STRICT, WITHOUT ROWID;

-- The state of the search is in two parts: what changes with every proposal and reward, and what the search has learnt,
-- which is large and changes with its policy's version.
CREATE TABLE search_model (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    policy_version INTEGER NOT NULL,
    at_ms          INTEGER NOT NULL,
    model          BLOB NOT NULL
) STRICT;

CREATE TABLE search_state (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    proposals      INTEGER NOT NULL,
    rewards        INTEGER NOT NULL,
    policy_version INTEGER NOT NULL,
    baseline       REAL,
    entropy        REAL,
    at_ms          INTEGER NOT NULL,
    policy         TEXT NOT NULL, -- JSON: for each token the likeliest choice, its probability, and the entropy
    state          BLOB NOT NULL
) STRICT;

-- How the search went: the last row of search_state under each version of its policy, without the state.
CREATE TABLE search_history (
    policy_version INTEGER PRIMARY KEY,
    proposals      INTEGER NOT NULL,
    rewards        INTEGER NOT NULL,
    baseline       REAL,
    entropy        REAL,
    at_ms          INTEGER NOT NULL,
    policy         TEXT NOT NULL
) STRICT;

CREATE TABLE event (
    id    INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    kind  TEXT NOT NULL,
    text  TEXT NOT NULL
) STRICT;

-- The two-sided 95 % quantiles of Student's t. What is not there has that of the next lower number, which is larger.
CREATE TABLE student_t (
    df INTEGER PRIMARY KEY, -- degrees of freedom
    t  REAL NOT NULL
) STRICT;
INSERT INTO student_t (df, t) VALUES
    (1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (5, 2.5706), (6, 2.4469), (7, 2.3646), (8, 2.3060),
    (9, 2.2622), (10, 2.2281), (11, 2.2010), (12, 2.1788), (13, 2.1604), (14, 2.1448), (15, 2.1314),
    (16, 2.1199), (17, 2.1098), (18, 2.1009), (19, 2.0930), (20, 2.0860), (25, 2.0595), (30, 2.0423),
    (40, 2.0211), (60, 2.0003), (120, 1.9799);

-- One window for both the place and who comes next, so that rows come in the order of the index, one after the other:
-- the frame ends with the next one, where there is one. (SQLite reads the inner SELECT row by row, in its order; to sort
-- the outer one again would read all of it first.) It takes only what the index holds, so that to skip a row costs
-- little: whoever wants some rows asks for their rank or activation. Seeds are paired, so the differences are tested and
-- not the means.
CREATE VIEW ranking AS
SELECT placed.rank, placed.activation, one.accuracy_mean, one.accuracy_sd, one.seeds, one.trials, one.steps, one.parameters,
       one.seconds, one.cost_ns, one.reference,
       CASE WHEN one.seeds > 1 AND placed.next <> placed.id THEN (
           SELECT CASE WHEN pairs > 1 THEN
               mean * mean * pairs > (SELECT t * t FROM student_t WHERE df < pairs ORDER BY df DESC LIMIT 1)
                                     * max(squares - pairs * mean * mean, 0) / (pairs - 1) END
           FROM (SELECT count(*) AS pairs, avg(gain) AS mean, total(gain * gain) AS squares
                 FROM (SELECT CASE mine.state WHEN 'done' THEN 1.0 * mine.correct / mine.validation_count ELSE 0.0 END
                              - CASE other.state WHEN 'done' THEN 1.0 * other.correct / other.validation_count
                                                 ELSE 0.0 END AS gain
                       FROM trial AS mine
                       JOIN trial AS other ON other.candidate = placed.next AND other.steps = mine.steps
                                              AND other.replica = mine.replica
                       WHERE mine.candidate = placed.id AND mine.steps = one.steps
                             AND mine.state IN ('done', 'diverged') AND other.state IN ('done', 'diverged')))
           WHERE (SELECT steps FROM candidate WHERE id = placed.next) = one.steps) END AS distinct_from_next
FROM (SELECT id, activation,
             count(*) OVER places - (last_value(id) OVER places <> id) AS rank, last_value(id) OVER places AS next
      FROM candidate
      WHERE seeds > 0
      WINDOW places AS (ORDER BY steps DESC, accuracy_mean DESC, validation_loss_mean IS NULL, validation_loss_mean,
                                 activation
                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING)
      ORDER BY steps DESC, accuracy_mean DESC, validation_loss_mean IS NULL, validation_loss_mean, activation) AS placed
CROSS JOIN candidate AS one ON one.id = placed.id;

CREATE VIEW progress AS
SELECT c.proposals, c.candidates, c."references", c.duplicates, c.rejected,
       c.rejected_constant, c.rejected_not_finite, c.rejected_slope_not_finite, c.rejected_too_large,
       c.trials, c.ready AS queued, c.leased, c.done, c.diverged, c.failed, c.finals, c.workers,
       CASE WHEN e.finished_because <> '' THEN 'finished'
            WHEN e.paused THEN 'paused'
            WHEN c.finals_open > 0 THEN 'finals'
            ELSE 'search' END AS phase,
       e.target_candidates, s.policy_version, s.baseline, s.entropy,
       CASE WHEN e.started_ms > 0
            THEN strftime('%Y-%m-%dT%H:%M:%SZ', e.started_ms / 1000, 'unixepoch') END AS started,
       e.started_ms,
       CASE WHEN e.started_ms = 0 THEN 0.0
            WHEN e.finished_ms > 0 THEN (e.finished_ms - e.started_ms) / 1000.0
            ELSE round((julianday('now') - 2440587.5) * 86400 - e.started_ms / 1000.0, 3)
       END AS elapsed_seconds,
       e.finished_because,
       best.accuracy_mean AS best_accuracy, best.activation AS best_activation
FROM experiment AS e
JOIN counters AS c
LEFT JOIN search_state AS s
LEFT JOIN (SELECT accuracy_mean, activation FROM candidate WHERE seeds > 0
           ORDER BY steps DESC, accuracy_mean DESC, validation_loss_mean IS NULL, validation_loss_mean, activation
           LIMIT 1) AS best;

CREATE VIEW failures AS
SELECT candidate.activation, attempt.trial, attempt.id AS attempt, worker.host AS worker,
       CASE WHEN attempt.reason <> '' THEN attempt.reason ELSE attempt.state END AS reason,
       strftime('%Y-%m-%dT%H:%M:%SZ', attempt.ended_ms / 1000, 'unixepoch') AS at
FROM attempt
JOIN trial ON trial.id = attempt.trial
JOIN candidate ON candidate.id = trial.candidate
JOIN worker ON worker.id = attempt.worker
WHERE (attempt.state = 'lapsed' OR attempt.state = 'failed' OR attempt.state = 'differed' OR
       attempt.state = 'withdrawn')
ORDER BY attempt.ended_ms, attempt.id;

PRAGMA user_version = 1;

PRAGMA foreign_keys = OFF;
INSERT INTO experiment VALUES(1,'golden',replace('[experiment]\nname = golden\nseed = 11\n\n[space]\nunits = 1\nunary = x, x^2, sin(x), max(x, 0), sigmoid(x), b*x\nbinary = x1 + x2, x1 * x2\nbeta = independent\nbeta_init = 1\nepsilon = 1e-06\n\n[search]\nalgorithm = random\ncandidates = 6\nproposals = 120\nbatch = 20\nmode = sync\nreferences = relu(x), x*sigmoid(b*x)\n\n[rl]\nhidden = 100\nlayers = 1\nlr = 0.003\nclip = 0.2\nepochs = 2\nentropy = 0.7\nbaseline_decay = 0.95\ngradient_clip = 5\nreplay = 20\nrepeats = no\n\n[evolution]\npopulation = 100\nsample = 25\n\n[halving]\neta = 4\nrungs = 1\n\n[child]\ndata = fashion-mnist\nmodel = cnn\nsteps = 100\nbatch = 128\nlr = 0.1\nschedule = cosine\nmomentum = 0.9\nweight_decay = 0.0005\nwarmup = 0\naugment = false\nseeds = 2\nvalidation = 5000\nbeta_lr = -1\nbeta_weight_decay = 0\n\n[finals]\ntop = 0\nseeds = 5\nsteps = 0\n','\n',char(10)),2,'actsearch','00',1,6,1795630149576,1795630149871,'search.candidates reached',0);
INSERT INTO counters VALUES(1,6,6,2,0,0,0,0,0,0,16,0,0,16,0,0,0,0,0);
INSERT INTO worker VALUES(1,'00000000000000000000000000000001','host-1',1,2,'actsearch','none','simulated','',2,0,1795630149744,1795630149871,16,0,0);
INSERT INTO candidate VALUES(1,'relu(x)','578f532f65a1fa7dd9779921db84d012fd0e9e5d79389ee293035f1c9191a49a',1,-1,0,100,2,2,0,0,0.50629999999999997228,0.26261945853268370276,6.4809964999999998269,1234,0,1.0,1.0,0.50629999999999997228);
INSERT INTO candidate VALUES(2,'x*sigmoid(b0*x)','e09e2b2b3c0244ca6b55ab94062813ef5e8a2d07d21f119c1087c74c9d3c539f',1,-1,0,100,2,2,0,0,0.63349999999999995203,0.21510188283694772759,13.397456999999999283,1234,0,1.0,1.0,0.63349999999999995203);
INSERT INTO candidate VALUES(3,'x+x^2','7a1ee9c1fce48ceac61f97502dc7a33f473e3f5ccd836f2bc04754d7b20f00a0',0,0,0,100,2,2,0,0,0.5250000000000000222,0.041012193308819791526,9.8887505000000004429,1234,0,1.0,1.0,0.5250000000000000222);
INSERT INTO candidate VALUES(4,'x*max(x,0)','5f392c17f44ffdc44a4dca70ca745266c08ed8b79c932fe9954f15847636003a',0,1,0,100,2,2,0,0,0.46350000000000002309,0.27478169516909239922,6.7289219999999998478,1234,0,1.0,1.0,0.46350000000000002309);
INSERT INTO candidate VALUES(5,'x^2+x^2','eb70abde8a285f25f43e1268b857359d1e7f7385ee3be20851e38dfcfec72757',0,2,0,100,2,2,0,0,0.73249999999999992894,0.3030659664165542555,8.0743115000000003078,1234,0,1.0,1.0,0.73249999999999992894);
INSERT INTO candidate VALUES(6,'sigmoid(x)+sigmoid(x)','bc1a35b2f6fc73e4469b917b5d813fffedd768dc200fcad1d8aed3b63373b7d6',0,3,0,100,2,2,0,0,0.3328999999999999737,0.39612121882070389089,9.9264384999999997205,1234,0,1.0,1.0,0.3328999999999999737);
INSERT INTO candidate VALUES(7,'x^2*sin(x)','b964ee67fc92c91cf988379c38f2eb79fe8c1f6d665c6856df0ce9159f7fcc35',0,4,0,100,2,2,0,0,0.080000000000000001665,0.10634885989045675391,8.2271315000000004857,1234,0,1.0,1.0,0.080000000000000001665);
INSERT INTO candidate VALUES(8,'x^2*sigmoid(x)','ed9ae8f712beb3062f9f0b0fd406b4a8a15ddb4358c95f595ddb2fb4b4b607bd',0,5,0,100,2,2,0,0,0.22360000000000002096,0.23532513677888303171,9.7283454999999996459,1234,0,1.0,1.0,0.22360000000000002096);
INSERT INTO proposal VALUES(0,'new','usable',3,'','[0,0,1,0,0]',0.0,0,0.5250000000000000222);
INSERT INTO proposal VALUES(1,'new','usable',4,'','[0,0,3,0,1]',0.0,0,0.46350000000000002309);
INSERT INTO proposal VALUES(2,'new','usable',5,'','[0,0,1,1,0]',0.0,0,0.73249999999999992894);
INSERT INTO proposal VALUES(3,'new','usable',6,'','[0,0,4,4,0]',0.0,0,0.3328999999999999737);
INSERT INTO proposal VALUES(4,'new','usable',7,'','[0,0,1,2,1]',0.0,0,0.080000000000000001665);
INSERT INTO proposal VALUES(5,'new','usable',8,'','[0,0,1,4,1]',0.0,0,0.22360000000000002096);
INSERT INTO trial VALUES(1,1,0,2419005109489361,0,100,'done',0,4294967297,1795630149776,100,3460,5000,10.724868000000000733,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(2,1,1,6344840352161967,0,100,'done',0,4294967298,1795630149776,100,1603,5000,2.2371249999999998081,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(3,2,0,2419005109489361,0,100,'done',0,4294967299,1795630149783,100,3928,5000,15.330244999999999677,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(4,2,1,6344840352161967,0,100,'done',0,4294967300,1795630149783,100,2407,5000,11.464669000000000664,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(5,3,0,2419005109489361,0,100,'done',0,4294967301,1795630149795,100,2480,5000,7.5030900000000002592,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(6,3,1,6344840352161967,0,100,'done',0,4294967302,1795630149795,100,2770,5000,12.274411000000000626,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(7,4,0,2419005109489361,0,100,'done',0,4294967303,1795630149800,100,3289,5000,5.9397409999999997154,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(8,4,1,6344840352161967,0,100,'done',0,4294967304,1795630149800,100,1346,5000,7.5181029999999999802,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(9,5,0,2419005109489361,0,100,'done',0,4294967305,1795630149819,100,4734,5000,4.5688680000000001513,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(10,5,1,6344840352161967,0,100,'done',0,4294967306,1795630149819,100,2591,5000,11.579755000000000464,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(11,6,0,2419005109489361,0,100,'done',0,4294967307,1795630149838,100,264,5000,12.94898200000000088,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(12,6,1,6344840352161967,0,100,'done',0,4294967308,1795630149838,100,3065,5000,6.903895000000000337,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(13,7,0,2419005109489361,0,100,'done',0,4294967309,1795630149859,100,776,5000,4.8112830000000004204,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(14,7,1,6344840352161967,0,100,'done',0,4294967310,1795630149859,100,24,5000,11.642979999999999663,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(15,8,0,2419005109489361,0,100,'done',0,4294967311,1795630149871,100,1950,5000,16.67465699999999984,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO trial VALUES(16,8,1,6344840352161967,0,100,'done',0,4294967312,1795630149871,100,286,5000,2.7820339999999998958,1.0,1234,0,1.0,100.0,1.0,0);
INSERT INTO attempt VALUES(4294967297,1,1,'taken',1795630149771,1795630149776,'');
INSERT INTO attempt VALUES(4294967298,2,1,'taken',1795630149771,1795630149776,'');
INSERT INTO attempt VALUES(4294967299,3,1,'taken',1795630149779,1795630149783,'');
INSERT INTO attempt VALUES(4294967300,4,1,'taken',1795630149779,1795630149783,'');
INSERT INTO attempt VALUES(4294967301,5,1,'taken',1795630149787,1795630149795,'');
INSERT INTO attempt VALUES(4294967302,6,1,'taken',1795630149787,1795630149795,'');
INSERT INTO attempt VALUES(4294967303,7,1,'taken',1795630149800,1795630149800,'');
INSERT INTO attempt VALUES(4294967304,8,1,'taken',1795630149800,1795630149800,'');
INSERT INTO attempt VALUES(4294967305,9,1,'taken',1795630149815,1795630149819,'');
INSERT INTO attempt VALUES(4294967306,10,1,'taken',1795630149815,1795630149819,'');
INSERT INTO attempt VALUES(4294967307,11,1,'taken',1795630149827,1795630149838,'');
INSERT INTO attempt VALUES(4294967308,12,1,'taken',1795630149827,1795630149838,'');
INSERT INTO attempt VALUES(4294967309,13,1,'taken',1795630149847,1795630149859,'');
INSERT INTO attempt VALUES(4294967310,14,1,'taken',1795630149847,1795630149859,'');
INSERT INTO attempt VALUES(4294967311,15,1,'taken',1795630149867,1795630149871,'');
INSERT INTO attempt VALUES(4294967312,16,1,'taken',1795630149867,1795630149871,'');
INSERT INTO curve VALUES(1,0,1,2.5);
INSERT INTO curve VALUES(1,1,100,2.25);
INSERT INTO curve VALUES(2,0,1,2.5);
INSERT INTO curve VALUES(2,1,100,2.25);
INSERT INTO curve VALUES(3,0,1,2.5);
INSERT INTO curve VALUES(3,1,100,2.25);
INSERT INTO curve VALUES(4,0,1,2.5);
INSERT INTO curve VALUES(4,1,100,2.25);
INSERT INTO curve VALUES(5,0,1,2.5);
INSERT INTO curve VALUES(5,1,100,2.25);
INSERT INTO curve VALUES(6,0,1,2.5);
INSERT INTO curve VALUES(6,1,100,2.25);
INSERT INTO curve VALUES(7,0,1,2.5);
INSERT INTO curve VALUES(7,1,100,2.25);
INSERT INTO curve VALUES(8,0,1,2.5);
INSERT INTO curve VALUES(8,1,100,2.25);
INSERT INTO curve VALUES(9,0,1,2.5);
INSERT INTO curve VALUES(9,1,100,2.25);
INSERT INTO curve VALUES(10,0,1,2.5);
INSERT INTO curve VALUES(10,1,100,2.25);
INSERT INTO curve VALUES(11,0,1,2.5);
INSERT INTO curve VALUES(11,1,100,2.25);
INSERT INTO curve VALUES(12,0,1,2.5);
INSERT INTO curve VALUES(12,1,100,2.25);
INSERT INTO curve VALUES(13,0,1,2.5);
INSERT INTO curve VALUES(13,1,100,2.25);
INSERT INTO curve VALUES(14,0,1,2.5);
INSERT INTO curve VALUES(14,1,100,2.25);
INSERT INTO curve VALUES(15,0,1,2.5);
INSERT INTO curve VALUES(15,1,100,2.25);
INSERT INTO curve VALUES(16,0,1,2.5);
INSERT INTO curve VALUES(16,1,100,2.25);
INSERT INTO search_state VALUES(1,6,6,0,0.0,0.0,1795630149871,'[]',X'53524348040000000b2336c3551f94f106000000000000000000000000000000609432b69f5ecf6b');
INSERT INTO search_history VALUES(0,6,6,0.0,0.0,1795630149871,'[]');
INSERT INTO event VALUES(1,1795630149576,'start','coordinator started, epoch 1');
INSERT INTO event VALUES(2,1795630149744,'worker','worker on host-1 joined: 2 slots, none kernels, simulated');
INSERT INTO event VALUES(3,1795630149871,'finish','search.candidates reached: 6 candidates, 6 proposals');
