//! End-to-end scenarios on dist/.
