-- The analyst's promise: these names and columns stay.

CREATE VIEW v_posts AS -- Posts that are still public, with author, newest counts and the label that holds.
SELECT
  p.id AS id, -- posts.id.
  p.network AS network, -- Network.
  a.handle AS author, -- Handle of the author.
  p.author_id AS author_id, -- accounts.id of the author.
  p.created_at AS created_at, -- When it was posted.
  p.first_seen AS first_seen, -- When we saw it first.
  p.lang AS lang, -- Language.
  p.text AS text, -- Text.
  p.url AS url, -- Address.
  (SELECT MAX(m.likes) FROM metrics m WHERE m.post_id = p.id) AS likes, -- Likes, the most that was seen.
  (SELECT MAX(m.reshares) FROM metrics m WHERE m.post_id = p.id) AS reshares, -- Reshares, likewise.
  (SELECT MAX(m.replies) FROM metrics m WHERE m.post_id = p.id) AS replies, -- Replies, likewise.
  (SELECT MAX(m.quotes) FROM metrics m WHERE m.post_id = p.id) AS quotes, -- Quotes, likewise.
  COALESCE(
    (SELECT c.label FROM corrections c WHERE c.post_id = p.id ORDER BY c.id DESC LIMIT 1),
    (SELECT s.label FROM sentiments s WHERE s.post_id = p.id AND s.text_hash = p.text_hash ORDER BY s.scored_at DESC LIMIT 1)
  ) AS label, -- negative, neutral or positive; a correction overrules the model.
  EXISTS (SELECT 1 FROM corrections c WHERE c.post_id = p.id) AS corrected -- 1: a person said so.
FROM posts p LEFT JOIN accounts a ON a.id = p.author_id
WHERE p.removed_at IS NULL;

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
  complete -- 1: over, fully observed and scored.
FROM topic_hours;

CREATE VIEW v_topic_daily AS -- A topic by its own local day.
SELECT
  topic AS topic, -- topics.slug.
  substr(hour_local, 1, 10) AS day_local, -- Day in the topic's zone.
  SUM(posts) AS posts, -- Posts, without the topic's own.
  SUM(own_posts) AS own_posts, -- Posts by the topic's own accounts.
  SUM(reshares) AS reshares, -- Reshares of matched posts.
  SUM(negative) AS negative, -- Labelled negative.
  SUM(neutral) AS neutral, -- Labelled neutral.
  SUM(positive) AS positive, -- Labelled positive.
  SUM(negative) * 1.0 / NULLIF(SUM(negative + neutral + positive), 0) AS negative_share, -- Share of negative among the scored.
  AVG(coverage) AS coverage, -- Mean coverage of its hours.
  MIN(complete) AS complete -- 1: every hour seen is complete.
FROM topic_hours
GROUP BY topic, substr(hour_local, 1, 10);

CREATE VIEW v_runs_latest AS -- The newest finished run of each kind and topic.
SELECT
  kind AS kind, -- Kind.
  topic AS topic, -- topics.slug.
  MAX(id) AS run_id -- runs.id.
FROM runs WHERE state = 'done' GROUP BY kind, topic;

CREATE VIEW v_resonance_latest AS -- Who moves the topic's communities now, with the follower rank beside the rank.
SELECT
  r.topic AS topic, -- topics.slug.
  s.rank AS rank, -- Place by resonance.
  s.account_id AS account_id, -- accounts.id.
  a.handle AS handle, -- Handle.
  s.resonance AS resonance, -- 0..100.
  s.low AS low, -- Lower end of its 90% interval.
  s.high AS high, -- Upper end.
  s.followers AS followers, -- Followers when last seen.
  s.follower_rank AS follower_rank, -- Place by followers.
  s.community AS community, -- Coarse community.
  s.subcommunity AS subcommunity, -- Fine community.
  s.parts AS parts, -- JSON object of the parts.
  s.parts_missing AS parts_missing, -- JSON list.
  s.flags AS flags, -- JSON list.
  s.resonance_with_suspects AS resonance_with_suspects, -- The score when nothing suspicious is left out.
  s.run_id AS run_id -- runs.id.
FROM v_runs_latest r JOIN resonance s ON s.run_id = r.run_id LEFT JOIN accounts a ON a.id = s.account_id
WHERE r.kind = 'graph';

CREATE VIEW v_cascades_active AS -- Posts that are spreading, with the newest forecast.
SELECT
  c.topic AS topic, -- topics.slug.
  c.post_id AS post_id, -- posts.id of the root.
  p.url AS url, -- Address of the root.
  c.kind AS kind, -- tree, star or counts.
  c.started_at AS started_at, -- Time of the root.
  c.size AS size, -- Size so far.
  c.per_hour AS per_hour, -- Reactions in the last hour.
  f.size AS forecast, -- Expected size after seven days.
  f.low AS low, -- Lower end of the 90% interval.
  f.high AS high, -- Upper end.
  f.p_top5 AS p_top5, -- Probability of ending among the largest 5%.
  f.reproduction AS reproduction, -- Further reactions per reaction.
  f.made_at AS forecast_at -- When the forecast was made.
FROM cascades c
JOIN posts p ON p.id = c.post_id AND p.removed_at IS NULL
LEFT JOIN forecasts f ON f.topic = c.topic AND f.post_id = c.post_id
  AND f.made_at = (SELECT MAX(made_at) FROM forecasts WHERE topic = c.topic AND post_id = c.post_id)
WHERE c.finished = 0;

CREATE VIEW v_incidents_open AS -- What is going on: open and acknowledged incidents.
SELECT
  id, -- incidents.id.
  topic, -- topics.slug.
  rule, -- Rule.
  subject, -- What it is about.
  state, -- open or acknowledged.
  severity, -- info, warning or critical.
  began_at, -- When it began.
  opened_at, -- When it was raised.
  acknowledged_by, -- Who took it.
  facts -- JSON.
FROM incidents WHERE state <> 'resolved' AND historic = 0;

CREATE VIEW v_rule_precision AS -- How often each rule was right, by what people said.
SELECT
  i.topic AS topic, -- topics.slug.
  i.rule AS rule, -- Rule.
  COUNT(DISTINCT i.id) AS incidents, -- Incidents raised.
  COUNT(DISTINCT CASE WHEN f.verdict = 'helpful' THEN i.id END) AS helpful, -- Called helpful, by the newest word on each.
  COUNT(DISTINCT CASE WHEN f.verdict = 'false_alarm' THEN i.id END) AS false_alarms, -- Called a false alarm.
  COUNT(DISTINCT CASE WHEN f.verdict = 'helpful' THEN i.id END) * 1.0
    / NULLIF(COUNT(DISTINCT CASE WHEN f.verdict IS NOT NULL THEN i.id END), 0) AS precision -- Helpful among those judged.
FROM incidents i
LEFT JOIN feedback f ON f.incident_id = i.id AND f.id = (SELECT MAX(id) FROM feedback WHERE incident_id = i.id)
WHERE i.historic = 0
GROUP BY i.topic, i.rule;

CREATE VIEW v_review_queue AS -- Posts about which the model is not sure and nobody has decided yet.
SELECT
  m.topic AS topic, -- topics.slug.
  p.id AS post_id, -- posts.id.
  p.created_at AS created_at, -- When it was posted.
  p.lang AS lang, -- Language.
  p.text AS text, -- Text.
  p.url AS url, -- Address.
  s.label AS label, -- The model's best guess.
  s.negative AS negative, -- Probability.
  s.neutral AS neutral, -- Probability.
  s.positive AS positive, -- Probability.
  s.model AS model, -- Model.
  s.version AS version -- Its version.
FROM sentiments s
JOIN posts p ON p.id = s.post_id AND p.text_hash = s.text_hash AND p.removed_at IS NULL
JOIN matches m ON m.post_id = p.id AND m.own = 0
WHERE s.uncertain = 1 AND NOT EXISTS (SELECT 1 FROM corrections c WHERE c.post_id = p.id);
