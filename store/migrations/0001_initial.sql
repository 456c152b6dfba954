-- Times are UTC, ISO 8601 with Z. Ids are TEXT: `x:<id>` or an ActivityPub uri for posts, `x:<id>` or `acct:user@host` for accounts.

CREATE TABLE posts ( -- One row per distinct public post, however many servers showed it.
  pk INTEGER PRIMARY KEY, -- Row number; joins post_search.rowid.
  id TEXT NOT NULL UNIQUE, -- `x:<id of the first version>`, or the ActivityPub uri.
  network TEXT NOT NULL, -- `x` or `mastodon`.
  author_id TEXT, -- accounts.id; null when the source did not say.
  text TEXT NOT NULL, -- Plain text as of the last version seen; empty once removed.
  text_hash TEXT NOT NULL, -- Hash of the text as the model reads it; part of the key of sentiments.
  lang TEXT, -- Language code, declared by the network or guessed from the script.
  created_at TEXT NOT NULL, -- When it was posted, as the network claims.
  first_seen TEXT NOT NULL, -- When we saw it first.
  url TEXT, -- Address for people.
  reply_to_id TEXT, -- posts.id that it answers.
  quote_of_id TEXT, -- posts.id that it quotes.
  conversation_id TEXT, -- First post of the thread, where known.
  spoiler TEXT NOT NULL DEFAULT '', -- Content warning.
  sensitive INTEGER NOT NULL DEFAULT 0, -- 1: marked as sensitive by its author or network.
  hashtags TEXT NOT NULL DEFAULT '[]', -- JSON list, without #, as written.
  links TEXT NOT NULL DEFAULT '[]', -- JSON list of addresses.
  edited_at TEXT, -- Time of the last edit seen.
  reference INTEGER NOT NULL DEFAULT 0, -- 1: only came along with another post; matched to no topic by itself.
  imported INTEGER NOT NULL DEFAULT 0, -- 1: came from an archive, so that first_seen says nothing about when it was visible.
  removed_at TEXT, -- When its removal was confirmed; its text is gone since.
  removed_reason TEXT -- Why: deleted, protected, opted_out, retention, forgotten.
);
CREATE INDEX posts_author ON posts (author_id, created_at);
CREATE INDEX posts_created ON posts (created_at);
CREATE INDEX posts_reply ON posts (reply_to_id) WHERE reply_to_id IS NOT NULL;
CREATE INDEX posts_hash ON posts (text_hash);

CREATE TABLE post_sources ( -- Which server showed a post, under which id (an edit on X is another id of the same post).
  source TEXT NOT NULL, -- `x`, or the host of an instance.
  native_id TEXT NOT NULL, -- The id there.
  post_id TEXT NOT NULL, -- posts.id.
  first_seen TEXT NOT NULL, -- When it was seen there first.
  PRIMARY KEY (source, native_id)
) WITHOUT ROWID;
CREATE INDEX post_sources_post ON post_sources (post_id);

CREATE TABLE accounts ( -- Who posts and reacts, as last seen.
  id TEXT PRIMARY KEY, -- `x:<id>` or `acct:user@host`.
  network TEXT NOT NULL, -- `x` or `mastodon`.
  handle TEXT, -- Name to address it by; may change.
  name TEXT, -- Display name.
  followers INTEGER, -- Followers when last seen.
  following INTEGER, -- Accounts it follows.
  posts INTEGER, -- Posts it has written, in all.
  created_at TEXT, -- When the account was made.
  url TEXT, -- Address for people.
  bot INTEGER NOT NULL DEFAULT 0, -- 1: declares itself automated.
  protected INTEGER NOT NULL DEFAULT 0, -- 1: its posts are not public.
  opted_out TEXT, -- Why nothing of it is kept (nobot, noindex, ...); null: it may be.
  first_seen TEXT NOT NULL, -- When we saw it first.
  observed_at TEXT NOT NULL -- When these values were seen.
);
CREATE INDEX accounts_handle ON accounts (handle);

CREATE TABLE interactions ( -- Who reacted to whom; the edges of every graph.
  id INTEGER PRIMARY KEY, -- Row number.
  kind TEXT NOT NULL, -- reshare, quote, reply or mention.
  source_id TEXT NOT NULL, -- accounts.id of the one who reacts.
  subject TEXT NOT NULL, -- What is reacted to: target_post_id, or target_id where there is no post. Part of the key.
  target_post_id TEXT, -- posts.id reacted to.
  target_id TEXT, -- accounts.id reacted to, where known.
  via_post_id TEXT NOT NULL DEFAULT '', -- posts.id of the quote, reply or mention; empty for a reshare.
  time_low TEXT, -- It happened at or after this; null: unknown.
  time_high TEXT NOT NULL, -- ... and at or before this; equal to time_low when the network gives the time.
  first_seen TEXT NOT NULL, -- When we saw it first.
  UNIQUE (kind, source_id, subject, via_post_id)
);
CREATE INDEX interactions_target_post ON interactions (target_post_id, kind, time_high);
CREATE INDEX interactions_target ON interactions (target_id, time_high);
CREATE INDEX interactions_time ON interactions (time_high);

CREATE TABLE metrics ( -- Counts of a post over time: appended, never overwritten; readers take the maximum over observers.
  post_id TEXT NOT NULL, -- posts.id.
  observed_at TEXT NOT NULL, -- When they were seen.
  observer TEXT NOT NULL, -- `x`, or the host of an instance.
  likes INTEGER, -- Likes or favourites.
  reshares INTEGER, -- Retweets or boosts.
  replies INTEGER, -- Replies.
  quotes INTEGER, -- Quotes.
  views INTEGER, -- Views, on X.
  PRIMARY KEY (post_id, observed_at, observer)
) WITHOUT ROWID;

CREATE TABLE sentiments ( -- What a model says about a post; kept apart by model and version.
  post_id TEXT NOT NULL, -- posts.id.
  text_hash TEXT NOT NULL, -- posts.text_hash that was scored; an edited post is scored again.
  model TEXT NOT NULL, -- Name of the model.
  version TEXT NOT NULL, -- Its version.
  label TEXT NOT NULL, -- negative, neutral or positive.
  negative REAL NOT NULL, -- Calibrated probability.
  neutral REAL NOT NULL, -- Calibrated probability.
  positive REAL NOT NULL, -- Calibrated probability.
  uncertain INTEGER NOT NULL DEFAULT 0, -- 1: below the confidence threshold; waits in v_review_queue.
  emotions TEXT, -- JSON object of Plutchik's eight emotions, when the model has them.
  scored_at TEXT NOT NULL, -- When.
  PRIMARY KEY (post_id, text_hash, model, version)
) WITHOUT ROWID;

CREATE TABLE topics ( -- What is watched; from the configuration.
  slug TEXT PRIMARY KEY, -- Short name.
  name TEXT NOT NULL, -- Name for people.
  version INTEGER NOT NULL, -- Grows when the query changes; stored posts are then matched again.
  query TEXT NOT NULL, -- JSON of the query.
  timezone TEXT NOT NULL, -- IANA zone of hour_local and of days.
  changed_at TEXT NOT NULL, -- When this version began.
  active INTEGER NOT NULL DEFAULT 1 -- 0: no longer in the configuration.
);

CREATE TABLE matches ( -- Which post belongs to which topic.
  topic TEXT NOT NULL, -- topics.slug.
  post_id TEXT NOT NULL, -- posts.id.
  created_at TEXT NOT NULL, -- posts.created_at, for range queries.
  own INTEGER NOT NULL DEFAULT 0, -- 1: by one of the topic's own accounts; left out of sentiment and resonance.
  version INTEGER NOT NULL, -- topics.version of the query that matched.
  matched_at TEXT NOT NULL, -- When.
  PRIMARY KEY (topic, post_id)
) WITHOUT ROWID;
CREATE INDEX matches_time ON matches (topic, created_at, post_id);
CREATE INDEX matches_post ON matches (post_id);

CREATE TABLE topic_bins ( -- Maintained sums by 15 minutes and network, the step of the trend detectors; own posts are left out, removed ones count.
  topic TEXT NOT NULL, -- topics.slug.
  network TEXT NOT NULL, -- `x` or `mastodon`.
  bin_utc TEXT NOT NULL, -- Beginning of the 15 minutes.
  posts INTEGER NOT NULL, -- Matched posts.
  scored INTEGER NOT NULL, -- Of those, with a sentiment or a correction.
  negative INTEGER NOT NULL, -- Labelled negative; corrections overrule.
  neutral INTEGER NOT NULL, -- Labelled neutral.
  positive INTEGER NOT NULL, -- Labelled positive.
  PRIMARY KEY (topic, network, bin_utc)
) WITHOUT ROWID;

CREATE TABLE topic_hours ( -- Maintained sums by hour; read them through v_topic_hourly.
  topic TEXT NOT NULL, -- topics.slug.
  hour_utc TEXT NOT NULL, -- Beginning of the hour.
  hour_local TEXT NOT NULL, -- The same in the topic's zone, with its offset.
  posts INTEGER NOT NULL, -- Matched posts, without the topic's own; a removed post still counts.
  own_posts INTEGER NOT NULL, -- Posts by the topic's own accounts.
  authors INTEGER NOT NULL, -- Distinct authors of those posts.
  reshares INTEGER NOT NULL, -- Reshares of matched posts that happened in this hour, as far as known.
  negative INTEGER NOT NULL, -- Labelled negative; corrections overrule.
  neutral INTEGER NOT NULL, -- Labelled neutral.
  positive INTEGER NOT NULL, -- Labelled positive.
  uncertain INTEGER NOT NULL, -- Of those, below the confidence threshold.
  negative_share REAL, -- Share of negative among the scored, corrected for the model's known confusion; null: nothing scored.
  negative_low REAL, -- Lower end of its 95% interval.
  negative_high REAL, -- Upper end.
  coverage REAL NOT NULL, -- Share of the hour that was really observed, 0..1, mean over the topic's networks.
  complete INTEGER NOT NULL, -- 1: the hour is over, fully observed and scored.
  updated_at TEXT NOT NULL, -- When this row was last computed.
  PRIMARY KEY (topic, hour_utc)
) WITHOUT ROWID;

CREATE TABLE observations ( -- Periods in which everything that a network shows for a topic has been read; the rest is unknown, not zero.
  id INTEGER PRIMARY KEY, -- Row number.
  topic TEXT NOT NULL, -- topics.slug.
  network TEXT NOT NULL, -- `x` or `mastodon`.
  start_utc TEXT NOT NULL, -- From.
  end_utc TEXT NOT NULL -- To.
);
CREATE INDEX observations_topic ON observations (topic, network, end_utc);

CREATE TABLE runs ( -- One analysis: what it looked at, how, with which versions; read results of `done` runs only.
  id INTEGER PRIMARY KEY, -- Number.
  kind TEXT NOT NULL, -- graph (communities and resonance).
  topic TEXT NOT NULL, -- topics.slug.
  state TEXT NOT NULL, -- running, done or failed.
  started_at TEXT NOT NULL, -- When it began.
  finished_at TEXT, -- When it ended.
  window_from TEXT NOT NULL, -- Interactions from here
  window_to TEXT NOT NULL, -- ... to here were used.
  parameters TEXT NOT NULL, -- JSON.
  seed INTEGER NOT NULL, -- Seed of everything random.
  versions TEXT NOT NULL, -- JSON: versions of the product and its libraries.
  left_out TEXT NOT NULL DEFAULT '{}', -- JSON: how many interactions were left out, by reason.
  error TEXT -- Why it failed.
);
CREATE INDEX runs_topic ON runs (topic, kind, state, id);

CREATE TABLE communities ( -- Groups of accounts that react to each other, as found by one run.
  run_id INTEGER NOT NULL, -- runs.id.
  community TEXT NOT NULL, -- Identity that lasts from run to run.
  level TEXT NOT NULL, -- coarse or fine.
  parent TEXT, -- Coarse community of a fine one.
  size INTEGER NOT NULL, -- Members.
  label TEXT NOT NULL, -- What sets it apart, for people: hashtags and words.
  hashtags TEXT NOT NULL, -- JSON list.
  words TEXT NOT NULL, -- JSON list.
  languages TEXT NOT NULL, -- JSON object: share by language.
  central TEXT NOT NULL, -- JSON list of accounts.id at its centre.
  echo_chamber REAL, -- How much of what it hears comes from inside, against chance: 0 as by chance, 1 only from inside.
  PRIMARY KEY (run_id, community)
) WITHOUT ROWID;

CREATE TABLE memberships ( -- Who belonged to which community in a run.
  run_id INTEGER NOT NULL, -- runs.id.
  account_id TEXT NOT NULL, -- accounts.id.
  community TEXT NOT NULL, -- Coarse community.
  subcommunity TEXT NOT NULL, -- Fine community.
  PRIMARY KEY (run_id, account_id)
) WITHOUT ROWID;

CREATE TABLE community_events ( -- Births, merges, splits and ends of communities.
  id INTEGER PRIMARY KEY, -- Row number.
  run_id INTEGER NOT NULL, -- runs.id that noticed it.
  topic TEXT NOT NULL, -- topics.slug.
  kind TEXT NOT NULL, -- birth, merge, split or end.
  community TEXT NOT NULL, -- The community.
  others TEXT NOT NULL, -- JSON list: the communities it came from or went into.
  at TEXT NOT NULL -- When the run ended.
);

CREATE TABLE resonance ( -- How much an account moves a community; definition in docs/resonance.md.
  run_id INTEGER NOT NULL, -- runs.id.
  account_id TEXT NOT NULL, -- accounts.id.
  resonance REAL NOT NULL, -- 0..100.
  low REAL NOT NULL, -- Lower end of its 90% interval.
  high REAL NOT NULL, -- Upper end.
  rank INTEGER NOT NULL, -- Place by resonance, 1 is first.
  follower_rank INTEGER, -- Place by followers among the same accounts.
  followers INTEGER, -- Followers when last seen.
  community TEXT, -- Coarse community it belongs to.
  subcommunity TEXT, -- Fine community.
  parts TEXT NOT NULL, -- JSON object of the parts; a part without data is null.
  parts_missing TEXT NOT NULL, -- JSON list of those.
  flags TEXT NOT NULL, -- JSON list: bot, own, coordinated, giveaway, new.
  resonance_with_suspects REAL, -- The same score when nothing suspicious is left out.
  PRIMARY KEY (run_id, account_id)
) WITHOUT ROWID;
CREATE INDEX resonance_rank ON resonance (run_id, rank);

CREATE TABLE cascades ( -- The spread of one post within a topic.
  topic TEXT NOT NULL, -- topics.slug.
  post_id TEXT NOT NULL, -- posts.id of the root.
  kind TEXT NOT NULL, -- tree, star, or counts where only counts are known.
  started_at TEXT NOT NULL, -- Time of the root.
  updated_at TEXT NOT NULL, -- Last computation.
  size INTEGER NOT NULL, -- Root and reactions that spread it, seen so far.
  depth INTEGER, -- Longest chain; null for counts.
  breadth INTEGER, -- Largest generation; null for counts.
  structural_virality REAL, -- Mean distance between its nodes (Goel et al. 2016); null for counts.
  per_hour REAL NOT NULL, -- Reactions in the last hour.
  communities TEXT NOT NULL, -- JSON list of communities in order of entry: community, at, through.
  finished INTEGER NOT NULL DEFAULT 0, -- 1: seven days old; no longer refreshed.
  PRIMARY KEY (topic, post_id)
) WITHOUT ROWID;
CREATE INDEX cascades_started ON cascades (topic, started_at);

CREATE TABLE forecasts ( -- What was expected of a cascade, each time it was looked at; never overwritten.
  topic TEXT NOT NULL, -- topics.slug.
  post_id TEXT NOT NULL, -- posts.id of the root.
  made_at TEXT NOT NULL, -- When.
  age_seconds INTEGER NOT NULL, -- Age of the cascade then.
  observed INTEGER NOT NULL, -- Its size then.
  size REAL NOT NULL, -- Expected size after seven days, root included.
  low REAL NOT NULL, -- Lower end of the 90% interval.
  high REAL NOT NULL, -- Upper end.
  p_top5 REAL NOT NULL, -- Probability of ending among the largest 5% of finished cascades.
  reproduction REAL, -- Further reactions that one reaction brings, on average.
  version TEXT NOT NULL, -- Version of the forecaster.
  PRIMARY KEY (topic, post_id, made_at)
) WITHOUT ROWID;

CREATE TABLE evidence ( -- The posts behind a result: every score opens to them.
  subject_kind TEXT NOT NULL, -- incident, resonance, cascade or community.
  subject_id TEXT NOT NULL, -- incidents.id, `run:account`, `topic:post` or `run:community`.
  post_id TEXT NOT NULL, -- posts.id.
  weight REAL NOT NULL, -- How much it counts.
  PRIMARY KEY (subject_kind, subject_id, post_id)
) WITHOUT ROWID;
CREATE INDEX evidence_post ON evidence (post_id);

CREATE TABLE incidents ( -- One thing worth telling.
  id INTEGER PRIMARY KEY, -- Number, as in alerts.
  topic TEXT, -- topics.slug; null for a source.
  rule TEXT NOT NULL, -- volume_spike, negative_surge, viral_cascade, rising_user or silent_source.
  subject TEXT NOT NULL, -- What it is about: topic, post, account or source. One open incident per topic, rule and subject.
  state TEXT NOT NULL, -- open, acknowledged or resolved.
  historic INTEGER NOT NULL DEFAULT 0, -- 1: old at first sight; stored, never sent.
  severity TEXT NOT NULL, -- info, warning or critical.
  began_at TEXT NOT NULL, -- When it began, by the evidence.
  opened_at TEXT NOT NULL, -- When we raised it.
  updated_at TEXT NOT NULL, -- Last change.
  last_active_at TEXT NOT NULL, -- When its rule last saw it going on.
  resolved_at TEXT, -- When it ended.
  acknowledged_at TEXT, -- When a person took it.
  acknowledged_by TEXT, -- Who.
  facts TEXT NOT NULL -- JSON: observed, expected, interval, confidence and whatever the rule measured.
);
CREATE UNIQUE INDEX incidents_live ON incidents (COALESCE(topic, ''), rule, subject) WHERE state <> 'resolved';
CREATE INDEX incidents_opened ON incidents (opened_at);
CREATE INDEX incidents_subject ON incidents (subject, rule, topic);

CREATE TABLE incident_notes ( -- What happened to an incident, dated; it is never rewritten.
  id INTEGER PRIMARY KEY, -- Row number.
  incident_id INTEGER NOT NULL, -- incidents.id.
  at TEXT NOT NULL, -- When.
  kind TEXT NOT NULL, -- opened, updated, acknowledged, resolved, reopened, feedback or late_data.
  by TEXT, -- Who; null: the product.
  note TEXT NOT NULL -- What, as JSON or plain text.
);
CREATE INDEX incident_notes_incident ON incident_notes (incident_id, at);

CREATE TABLE deliveries ( -- Incident × channel: the outbox.
  id INTEGER PRIMARY KEY, -- Number.
  incident_id INTEGER, -- incidents.id; null for a test message.
  channel TEXT NOT NULL, -- Name of the channel.
  kind TEXT NOT NULL, -- opened, resolved, rollup or test.
  state TEXT NOT NULL, -- queued, sending, sent, failed, maybe_sent or rolled_up.
  attempts INTEGER NOT NULL DEFAULT 0, -- Calls made.
  created_at TEXT NOT NULL, -- When it was queued.
  not_before TEXT NOT NULL, -- Earliest next attempt.
  sent_at TEXT, -- When it was accepted.
  peer_ref TEXT, -- What the peer calls it: Slack's ts, the Message-ID.
  error TEXT, -- Last error, without secrets.
  rolled_into INTEGER -- deliveries.id of the summary that it went out in.
);
CREATE UNIQUE INDEX deliveries_once ON deliveries (incident_id, channel, kind) WHERE incident_id IS NOT NULL;
CREATE INDEX deliveries_state ON deliveries (state, not_before);

CREATE TABLE feedback ( -- What people said of an incident.
  id INTEGER PRIMARY KEY, -- Row number.
  incident_id INTEGER NOT NULL, -- incidents.id.
  at TEXT NOT NULL, -- When.
  by TEXT NOT NULL, -- Who.
  verdict TEXT NOT NULL, -- helpful or false_alarm.
  note TEXT NOT NULL DEFAULT '' -- In their words.
);

CREATE TABLE mutes ( -- Rules that people silenced for a while; their incidents are recorded all the same.
  id INTEGER PRIMARY KEY, -- Number.
  topic TEXT, -- topics.slug; null: every topic.
  rule TEXT, -- Rule; null: every rule.
  until TEXT NOT NULL, -- End.
  created_at TEXT NOT NULL, -- When.
  by TEXT NOT NULL, -- Who.
  reason TEXT NOT NULL DEFAULT '' -- Why.
);

CREATE TABLE threshold_changes ( -- How feedback moved a threshold; shown, bounded, reversible.
  id INTEGER PRIMARY KEY, -- Row number.
  topic TEXT NOT NULL, -- topics.slug.
  rule TEXT NOT NULL, -- Rule.
  at TEXT NOT NULL, -- When.
  before REAL NOT NULL, -- Old value.
  after REAL NOT NULL, -- New value.
  reason TEXT NOT NULL, -- Why.
  reverted_at TEXT -- When a person took it back.
);

CREATE TABLE corrections ( -- A person overrules the machine; it holds in every view.
  id INTEGER PRIMARY KEY, -- Row number; the newest one of a post holds.
  post_id TEXT NOT NULL, -- posts.id.
  label TEXT NOT NULL, -- negative, neutral or positive.
  by TEXT NOT NULL, -- Who.
  at TEXT NOT NULL, -- When.
  note TEXT NOT NULL DEFAULT '' -- Why.
);
CREATE INDEX corrections_post ON corrections (post_id, id);

CREATE TABLE tombstones ( -- What must never come back.
  subject_id TEXT PRIMARY KEY, -- posts.id or accounts.id.
  kind TEXT NOT NULL, -- post or account.
  reason TEXT NOT NULL, -- deleted, opted_out, retention or forgotten.
  at TEXT NOT NULL -- When.
) WITHOUT ROWID;

CREATE TABLE changes ( -- The change sequence: every insert, edit or removal takes the next number; stages read what is newer than their mark.
  seq INTEGER PRIMARY KEY AUTOINCREMENT, -- The number.
  kind TEXT NOT NULL, -- post, metrics, interaction, sentiment, correction, removal, topic or observed.
  subject TEXT NOT NULL -- posts.id; for an interaction the post or account reacted to; for topic and observed the topic.
);

CREATE TABLE marks ( -- How far each stage has read the change sequence; committed with its output.
  stage TEXT NOT NULL, -- Stage.
  topic TEXT NOT NULL DEFAULT '', -- topics.slug; empty: the stage works on all.
  seq INTEGER NOT NULL, -- changes.seq.
  PRIMARY KEY (stage, topic)
) WITHOUT ROWID;

CREATE TABLE gaps ( -- Periods that are known to be missing.
  id INTEGER PRIMARY KEY, -- Row number.
  source TEXT NOT NULL, -- `x`, or the host of an instance.
  topic TEXT, -- topics.slug; null: all.
  start_utc TEXT NOT NULL, -- From.
  end_utc TEXT NOT NULL, -- To.
  reason TEXT NOT NULL, -- Why.
  found_at TEXT NOT NULL -- When it was noticed.
);
CREATE UNIQUE INDEX gaps_once ON gaps (source, COALESCE(topic, ''), start_utc, end_utc);

CREATE TABLE checkpoints ( -- Where each stream of a source goes on; committed with the page's data.
  source TEXT NOT NULL, -- `x`, or the host of an instance.
  stream TEXT NOT NULL, -- Which question was asked: `search:topic`, `tag:topic:name`, ...
  cursor TEXT NOT NULL, -- JSON, the collector's own.
  updated_at TEXT NOT NULL, -- When it last moved.
  PRIMARY KEY (source, stream)
) WITHOUT ROWID;

CREATE TABLE jobs ( -- What each job of the daemon did last.
  name TEXT PRIMARY KEY, -- Job, such as `collect:x` or `score`.
  started_at TEXT, -- Last start.
  finished_at TEXT, -- Last end.
  succeeded_at TEXT, -- Last end without an error.
  result TEXT, -- What it did, in words.
  error TEXT, -- What went wrong last, and what to do; null: nothing.
  waits_for TEXT, -- What it waits for, such as the reset of a rate limit.
  waits_until TEXT, -- Until when.
  failures INTEGER NOT NULL DEFAULT 0 -- Failures in a row.
) WITHOUT ROWID;

CREATE TABLE spend ( -- Requests and money by network and UTC day.
  day_utc TEXT NOT NULL, -- Day.
  network TEXT NOT NULL, -- `x`, `mastodon`.
  requests INTEGER NOT NULL, -- Requests made.
  posts INTEGER NOT NULL, -- Posts read.
  accounts INTEGER NOT NULL, -- Accounts read.
  usd REAL NOT NULL, -- Cost at the configured prices.
  PRIMARY KEY (day_utc, network)
) WITHOUT ROWID;

CREATE TABLE refresh_requests ( -- Posts whose counts, reshares and replies are asked for again.
  post_id TEXT PRIMARY KEY, -- posts.id.
  due_at TEXT NOT NULL, -- When.
  priority REAL NOT NULL, -- Higher first.
  asked_by TEXT NOT NULL, -- Who wants it: `age` for the ordinary schedule, or an analysis.
  refreshed_at TEXT, -- Last refresh.
  deep_at TEXT -- Last time when it was asked who reacted; reactions new since then happened after it.
) WITHOUT ROWID;
CREATE INDEX refresh_requests_due ON refresh_requests (due_at);

CREATE VIRTUAL TABLE post_search USING fts5 ( -- Full text: CJK text as overlapping pairs of characters; docs/schema.md shows how to ask.
  body,
  tokenize = "unicode61 remove_diacritics 2"
);
