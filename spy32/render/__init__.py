"""Output for people and scripts: pages of text, payoff pictures, JSON documents and CSV."""
