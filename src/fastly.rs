//! The Fastly purger; knows nothing of ours.
