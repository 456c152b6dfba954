-- Deliveries that follow an incident: updates in its thread, charts, escalations, digests, and what quiet hours held back.
DROP INDEX deliveries_once;
DROP INDEX deliveries_state;
ALTER TABLE deliveries RENAME TO deliveries_before;

CREATE TABLE deliveries ( -- Incident × channel: the outbox.
  id INTEGER PRIMARY KEY, -- Number.
  incident_id INTEGER, -- incidents.id; null for a summary, a digest or a test message.
  channel TEXT NOT NULL, -- Name of the channel.
  kind TEXT NOT NULL, -- opened, update, resolved, refresh (the first message brought up to date), chart, escalation, rollup, digest or test.
  note_id INTEGER NOT NULL DEFAULT 0, -- incident_notes.id that it tells; 0: none in particular.
  about TEXT NOT NULL DEFAULT '', -- Of a digest: its period and last day, such as `daily 2026-11-22`; of a Slack message that is kept current: JSON list of the posts it shows.
  state TEXT NOT NULL, -- queued, sending, sent, failed, maybe_sent or rolled_up.
  attempts INTEGER NOT NULL DEFAULT 0, -- Calls made.
  asked INTEGER NOT NULL DEFAULT 0, -- How often the peer was asked whether it has arrived.
  held INTEGER NOT NULL DEFAULT 0, -- 1: waited for the end of quiet hours; several such arrive as one summary.
  created_at TEXT NOT NULL, -- When it was queued.
  not_before TEXT NOT NULL, -- Earliest next attempt.
  sent_at TEXT, -- When it was accepted.
  peer_ref TEXT, -- What the peer calls it: Slack's channel and ts, the Message-ID; `parts:N` of a message split in parts.
  error TEXT, -- Last error, without secrets.
  rolled_into INTEGER -- deliveries.id of the summary that it went out in.
);

INSERT INTO deliveries (id, incident_id, channel, kind, state, attempts, created_at, not_before, sent_at, peer_ref, error, rolled_into)
SELECT id, incident_id, channel, kind, state, attempts, created_at, not_before, sent_at, peer_ref, error, rolled_into
FROM deliveries_before;

DROP TABLE deliveries_before;
CREATE UNIQUE INDEX deliveries_once ON deliveries (incident_id, channel, kind, note_id) WHERE incident_id IS NOT NULL;
CREATE UNIQUE INDEX deliveries_digest ON deliveries (channel, about) WHERE kind = 'digest';
CREATE INDEX deliveries_state ON deliveries (state, not_before);
