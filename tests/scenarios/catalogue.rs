//! Every error that the action can tell has a scenario that meets it.

use app_token::error::problem;

/// Those that no scenario can bring about, with the reason.
const ELSEWHERE: [(&str, &str); 1] = [(
    "internal",
    "a fault of the program itself; whatever brings one about is mended",
)];

const SCENARIOS: [&str; 20] = [
    include_str!("api_url.rs"),
    include_str!("aws.rs"),
    include_str!("border.rs"),
    include_str!("clock.rs"),
    include_str!("credentials.rs"),
    include_str!("files.rs"),
    include_str!("flow.rs"),
    include_str!("github.rs"),
    include_str!("inputs.rs"),
    include_str!("keys.rs"),
    include_str!("limits.rs"),
    include_str!("main.rs"),
    include_str!("permissions.rs"),
    include_str!("post.rs"),
    include_str!("proxies.rs"),
    include_str!("rate_limits.rs"),
    include_str!("redirects.rs"),
    include_str!("retries.rs"),
    include_str!("scope.rs"),
    include_str!("tls.rs"),
];

#[test]
fn every_error_has_a_scenario() {
    let lacking: Vec<&str> = problem::ALL
        .iter()
        .filter(|problem| !ELSEWHERE.iter().any(|(code, _)| *code == problem.code))
        .filter(|problem| {
            let name = problem.code.replace('-', "_").to_uppercase();
            let title = &problem.summary[1..];
            let met =
                |text: &&str| text.contains(&format!("problem::{name}")) || text.contains(title);
            !SCENARIOS.iter().any(met)
        })
        .map(|problem| problem.code)
        .collect();
    assert!(lacking.is_empty(), "no scenario meets {lacking:?}");
}
