"""The sample: a published unit table turned into the events that would have produced it."""
