"""Pictures for people: a map of a topic's communities, and one post's spread."""
