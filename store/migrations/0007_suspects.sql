-- Spikes and cascades with and without accounts that are suspected of coordination or declare to be automatic.
CREATE TABLE suspects ( -- Accounts that a run suspects of coordination; with declared bots (accounts.bot) they are left out of cascades and of the detection of spikes.
  run_id INTEGER NOT NULL, -- runs.id; the newest finished run of a topic holds.
  account_id TEXT NOT NULL, -- accounts.id.
  PRIMARY KEY (run_id, account_id)
) WITHOUT ROWID;

CREATE INDEX accounts_bot ON accounts (id) WHERE bot = 1;
ALTER TABLE cascades ADD COLUMN size_with_suspects INTEGER /* Size when nothing is left out; null: as size. */;
ALTER TABLE topic_hours ADD COLUMN suspect_posts INTEGER NOT NULL DEFAULT 0 /* Of posts, those by suspects or declared bots. */;
ALTER TABLE topic_hours ADD COLUMN suspect_reshares INTEGER NOT NULL DEFAULT 0 /* Of reshares, likewise. */;
ALTER TABLE topic_bins ADD COLUMN suspect_posts INTEGER NOT NULL DEFAULT 0 /* Of posts, those by suspects or declared bots; detection leaves them out. */;
ALTER TABLE topic_bins ADD COLUMN suspect_scored INTEGER NOT NULL DEFAULT 0 /* Of scored, likewise. */;
ALTER TABLE topic_bins ADD COLUMN suspect_negative INTEGER NOT NULL DEFAULT 0 /* Of negative, likewise. */;

DROP VIEW v_topic_hourly;
CREATE VIEW v_topic_hourly AS -- A topic by hour; an hour with little coverage is unknown, not quiet.
SELECT
  topic, -- topics.slug.
  hour_utc, -- Beginning of the hour.
  hour_local, -- The same in the topic's zone.
  posts, -- Posts, without the topic's own.
  own_posts, -- Posts by the topic's own accounts.
  authors, -- Distinct authors.
  reshares, -- Reshares of matched posts in this hour.
  negative, -- Labelled negative.
  neutral, -- Labelled neutral.
  positive, -- Labelled positive.
  uncertain, -- Below the confidence threshold.
  negative_share, -- Share of negative, corrected for the model's known confusion.
  negative_low, -- Lower end of its 95% interval.
  negative_high, -- Upper end.
  coverage, -- Share of the hour really observed, 0..1.
  complete, -- 1: over, fully observed and scored.
  suspect_posts, -- Of posts, those by suspects of coordination or declared bots; spikes are detected without them.
  suspect_reshares -- Of reshares, likewise.
FROM topic_hours;

DROP VIEW v_cascades_active;
CREATE VIEW v_cascades_active AS -- Posts that are spreading, with the newest forecast.
SELECT
  c.topic AS topic, -- topics.slug.
  c.post_id AS post_id, -- posts.id of the root.
  p.url AS url, -- Address of the root.
  c.kind AS kind, -- tree, star or counts.
  c.started_at AS started_at, -- Time of the root.
  c.size AS size, -- Size so far, without suspects of coordination and declared bots where it is known who reacted.
  c.per_hour AS per_hour, -- Reactions in the last hour.
  f.size AS forecast, -- Expected size after seven days.
  f.low AS low, -- Lower end of the 90% interval.
  f.high AS high, -- Upper end.
  f.p_top5 AS p_top5, -- Probability of ending among the largest 5%.
  f.reproduction AS reproduction, -- Further reactions per reaction.
  f.made_at AS forecast_at, -- When the forecast was made.
  COALESCE(c.size_with_suspects, c.size) AS size_with_suspects -- Size so far when nobody is left out.
FROM cascades c
JOIN posts p ON p.id = c.post_id AND p.removed_at IS NULL
LEFT JOIN forecasts f ON f.topic = c.topic AND f.post_id = c.post_id
  AND f.made_at = (SELECT MAX(made_at) FROM forecasts WHERE topic = c.topic AND post_id = c.post_id)
WHERE c.finished = 0;
