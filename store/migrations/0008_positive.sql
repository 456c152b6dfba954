-- The share of positive posts, without suspects of coordination and declared bots, as the other sums have been since 0007.
ALTER TABLE topic_bins ADD COLUMN suspect_positive INTEGER NOT NULL DEFAULT 0 /* Of positive, likewise. */;

-- Hours in which suspects or bots were scored are summed anew: one post of each counts as changed.
INSERT INTO changes (kind, subject)
SELECT 'suspect', MIN(m.post_id) FROM topic_bins b
JOIN matches m ON m.topic = b.topic AND m.created_at >= b.bin_utc AND m.created_at < substr(b.bin_utc, 1, 13) || ':99'
WHERE b.suspect_scored > b.suspect_negative
GROUP BY b.topic, substr(b.bin_utc, 1, 13);
