//! End-to-end scenarios: dist/ as the runner runs it, against the sandbox. One scenario a test.

mod flow;
