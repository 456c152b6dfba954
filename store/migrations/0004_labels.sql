-- A question about one topic reads only what it shows: the label that holds stands with the match, and the topics stand in the search index.
ALTER TABLE matches ADD COLUMN label TEXT /* negative, neutral or positive as in v_posts, kept by triggers; null: not scored, or removed. */;
UPDATE matches SET label = (SELECT label FROM v_posts WHERE id = matches.post_id);
CREATE INDEX matches_label ON matches (topic, label, created_at) WHERE own = 0 AND label IS NOT NULL;

CREATE TRIGGER sentiments_label_added AFTER INSERT ON sentiments BEGIN
  UPDATE matches SET label = (SELECT label FROM v_posts WHERE id = NEW.post_id) WHERE post_id = NEW.post_id;
END;

CREATE TRIGGER sentiments_label_changed AFTER UPDATE ON sentiments BEGIN
  UPDATE matches SET label = (SELECT label FROM v_posts WHERE id = NEW.post_id) WHERE post_id = NEW.post_id;
END;

CREATE TRIGGER sentiments_label_gone AFTER DELETE ON sentiments BEGIN
  UPDATE matches SET label = (SELECT label FROM v_posts WHERE id = OLD.post_id) WHERE post_id = OLD.post_id;
END;

CREATE TRIGGER corrections_label_added AFTER INSERT ON corrections BEGIN
  UPDATE matches SET label = (SELECT label FROM v_posts WHERE id = NEW.post_id) WHERE post_id = NEW.post_id;
END;

CREATE TRIGGER corrections_label_changed AFTER UPDATE ON corrections BEGIN
  UPDATE matches SET label = (SELECT label FROM v_posts WHERE id = NEW.post_id) WHERE post_id = NEW.post_id;
END;

CREATE TRIGGER corrections_label_gone AFTER DELETE ON corrections BEGIN
  UPDATE matches SET label = (SELECT label FROM v_posts WHERE id = OLD.post_id) WHERE post_id = OLD.post_id;
END;

CREATE TRIGGER posts_label_changed AFTER UPDATE OF text_hash, removed_at ON posts
WHEN OLD.text_hash <> NEW.text_hash OR OLD.removed_at IS NOT NEW.removed_at BEGIN
  UPDATE matches SET label = (SELECT label FROM v_posts WHERE id = NEW.id) WHERE post_id = NEW.id;
END;

ALTER TABLE post_search RENAME TO post_search_before;

CREATE VIRTUAL TABLE post_search USING fts5 ( -- Full text (body: CJK text as overlapping pairs of characters) and the topics that match; docs/schema.md shows how to ask.
  body,
  topics,
  tokenize = "unicode61 remove_diacritics 2"
);

INSERT INTO post_search (rowid, body, topics)
SELECT b.rowid, b.body, COALESCE((SELECT group_concat(m.topic, ' ') FROM posts p JOIN matches m ON m.post_id = p.id WHERE p.pk = b.rowid), '')
FROM post_search_before b ORDER BY b.rowid;

DROP TABLE post_search_before;

CREATE TRIGGER matches_added AFTER INSERT ON matches WHEN EXISTS (SELECT 1 FROM posts WHERE id = NEW.post_id) BEGIN
  UPDATE matches SET label = (SELECT label FROM v_posts WHERE id = NEW.post_id) WHERE topic = NEW.topic AND post_id = NEW.post_id;
  UPDATE post_search SET topics = (SELECT group_concat(topic, ' ') FROM matches WHERE post_id = NEW.post_id)
  WHERE rowid = (SELECT pk FROM posts WHERE id = NEW.post_id);
END;

CREATE TRIGGER matches_gone AFTER DELETE ON matches BEGIN
  UPDATE post_search SET topics = COALESCE((SELECT group_concat(topic, ' ') FROM matches WHERE post_id = OLD.post_id), '')
  WHERE rowid = (SELECT pk FROM posts WHERE id = OLD.post_id);
END;

CREATE INDEX feedback_incident ON feedback (incident_id, id);
