//! The GRIP protocol; knows nothing of ours.
