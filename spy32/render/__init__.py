"""What people and scripts see: values become pages of text, payoff pictures, JSON documents and CSV."""
