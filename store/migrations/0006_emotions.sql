-- Shares of emotions by 15 minutes, where the model has emotions.
CREATE TABLE topic_emotion_bins ( -- Maintained sums of emotions by 15 minutes and network; without own posts, suspects of coordination and declared bots. No rows where the model has no emotions.
  topic TEXT NOT NULL, -- topics.slug.
  network TEXT NOT NULL, -- `x` or `mastodon`.
  bin_utc TEXT NOT NULL, -- Beginning of the 15 minutes.
  emotion TEXT NOT NULL, -- joy, trust, fear, surprise, sadness, disgust, anger or anticipation.
  scored INTEGER NOT NULL, -- Posts of which the model said how much of it they show.
  posts INTEGER NOT NULL, -- Of those, the ones that show it: probability 0.5 or more.
  PRIMARY KEY (topic, emotion, network, bin_utc)
) WITHOUT ROWID;
