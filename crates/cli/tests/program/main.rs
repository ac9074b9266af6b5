//! The built program against the sandbox: one scenario a test, named as a sentence. After each run every
//! captured byte is searched for every secret that the sandbox knows.

mod git;
mod key;
mod run;
mod token;
mod tools;
