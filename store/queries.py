"""Ten questions that analysts ask, with plain SQL; docs/schema.md shows them, tests and benchmarks run them.

Parameters: `:topic`, and `:since` (a time as in the tables), at most 30 days back; `:words` for the search.
"""

from __future__ import annotations

from typing import NamedTuple


class Query(NamedTuple):
    """A named question."""

    name: str
    question: str
    sql: str


SEARCH = """\
WITH RECURSIVE
  ranges(low, high) AS (VALUES (0x3005,0x3007), (0x3041,0x3096), (0x309d,0x309f), (0x30a1,0x30fa), (0x30fc,0x30ff),
    (0x31f0,0x31ff), (0x3400,0x4dbf), (0x4e00,0x9fff), (0xac00,0xd7a3), (0xf900,0xfaff), (0x20000,0x3ffff)),
  word(w) AS (SELECT lower(trim(:words))),
  cut(i, c, next) AS (
    SELECT 1, substr(w, 1, 1), substr(w, 2, 1) FROM word
    UNION ALL
    SELECT i + 1, substr(w, i + 1, 1), substr(w, i + 2, 1) FROM cut, word WHERE i < length(w)),
  kind AS (
    SELECT i, c, next,
      EXISTS (SELECT 1 FROM ranges WHERE unicode(c) BETWEEN low AND high) AS cjk,
      EXISTS (SELECT 1 FROM ranges WHERE next <> '' AND unicode(next) BETWEEN low AND high) AS next_cjk,
      c = '#' OR unicode(c) BETWEEN 0x2190 AND 0x2bff OR unicode(c) BETWEEN 0x1f000 AND 0x1faff AS symbol
    FROM cut),
  piece AS (
    SELECT i, next, cjk, CASE
      WHEN cjk AND next_cjk THEN ' ' || c || next || ' '
      WHEN cjk AND next = '' AND LAG(cjk) OVER (ORDER BY i) THEN ''   -- stands in the pair before it
      WHEN cjk THEN ' ' || c || ' '
      WHEN symbol THEN printf(' u%05x ', unicode(c))
      ELSE c END AS text
    FROM kind),
  phrase(p) AS (
    SELECT '"' || replace(group_concat(text, ''), '"', '""') || '"'
      || CASE WHEN (SELECT cjk AND text <> '' FROM piece WHERE next = '') THEN '*' ELSE '' END
    FROM (SELECT text FROM piece ORDER BY i))
SELECT p.created_at, p.text, p.url
FROM post_search
JOIN posts p ON p.pk = post_search.rowid
JOIN matches m ON m.topic = :topic AND m.post_id = p.id
WHERE post_search MATCH (SELECT 'topics : "' || :topic || '" AND body : ' || p FROM phrase)
ORDER BY post_search.rowid DESC
LIMIT 50"""

QUERIES = (
    Query(
        "mood_by_hour",
        "How many posts, and how negative, hour by hour? Hours that were not really observed are left out.",
        """\
SELECT hour_local, posts, authors, negative, positive, negative_share, negative_low, negative_high
FROM v_topic_hourly
WHERE topic = :topic AND hour_utc >= :since AND coverage > 0.5
ORDER BY hour_utc""",
    ),
    Query(
        "days",
        "The same by the topic's own day.",
        """\
SELECT day_local, posts, reshares, negative, positive, round(negative_share, 3) AS negative_share,
  round(coverage, 2) AS coverage
FROM v_topic_daily
WHERE topic = :topic AND day_local >= substr(:since, 1, 10)
ORDER BY day_local""",
    ),
    Query(
        "newest_negative",
        "The newest negative posts, with their author and reactions.",
        """\
SELECT v.created_at, v.author, v.likes, v.reshares, v.text, v.url
FROM matches m JOIN v_posts v ON v.id = m.post_id
WHERE m.topic = :topic AND m.label = 'negative' AND m.own = 0 AND m.created_at >= :since
ORDER BY m.created_at DESC
LIMIT 50""",
    ),
    Query(
        "resonance_users",
        "Who moves the community now, against the rank by followers?",
        """\
SELECT rank, handle, resonance, low, high, follower_rank, followers, community
FROM v_resonance_latest
WHERE topic = :topic
ORDER BY rank
LIMIT 50""",
    ),
    Query(
        "why_this_score",
        "The posts behind the scores of the first ten.",
        """\
SELECT r.rank, r.handle, p.created_at, p.text, p.url
FROM v_resonance_latest r
CROSS JOIN evidence e ON e.subject_kind = 'resonance' AND e.subject_id = r.run_id || ':' || r.account_id
CROSS JOIN posts p ON p.id = e.post_id
WHERE r.topic = :topic AND r.rank <= 10
ORDER BY r.rank, e.weight DESC""",
    ),
    Query(
        "spreading_now",
        "Which posts are spreading, and how far are they expected to go?",
        """\
SELECT started_at, size, round(forecast) AS forecast, round(low) AS low, round(high) AS high,
  round(p_top5, 2) AS p_top5, url
FROM v_cascades_active
WHERE topic = :topic AND started_at >= :since
ORDER BY p_top5 DESC, size DESC
LIMIT 50""",
    ),
    Query(
        "forecast_and_outcome",
        "How good were the forecasts of the first two hours, for posts that have finished spreading?",
        """\
SELECT c.post_id, c.size AS outcome, f.made_at, f.observed, round(f.size) AS forecast,
  c.size BETWEEN f.low AND f.high AS inside
FROM cascades c JOIN forecasts f ON f.topic = c.topic AND f.post_id = c.post_id
WHERE c.topic = :topic AND c.started_at >= :since AND c.finished = 1 AND f.age_seconds <= 7200
ORDER BY c.started_at, f.made_at""",
    ),
    Query(
        "communities",
        "Which communities are there, what are they about, and does one only hear itself?",
        """\
SELECT c.community, c.size, c.label, c.languages, round(c.echo_chamber, 2) AS echo_chamber
FROM v_runs_latest r JOIN communities c ON c.run_id = r.run_id
WHERE r.kind = 'graph' AND r.topic = :topic AND c.level = 'coarse'
ORDER BY c.size DESC""",
    ),
    Query(
        "incidents",
        "What was raised, how long did it take, and what did people say?",
        """\
SELECT i.id, i.rule, i.severity, i.began_at, i.opened_at,
  round((julianday(i.opened_at) - julianday(i.began_at)) * 1440) AS minutes, i.state,
  (SELECT verdict FROM feedback f WHERE f.incident_id = i.id ORDER BY f.id DESC LIMIT 1) AS verdict
FROM incidents i
WHERE i.topic = :topic AND i.opened_at >= :since AND i.historic = 0
ORDER BY i.opened_at DESC""",
    ),
    Query("search", "Posts with a word, Japanese or not, the newest first (pure SQL, no function of ours).", SEARCH),
)
