//! `key import`, `key rotate` and its undoing.

use crate::run::{Machine, Outcome};
use app_token_sandbox::world::{self, KeyState};
use app_token_sandbox::{Call, Fault, PublicKey, Sandbox, When};
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::traits::PublicKeyParts;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

/// One new private key for all tests: making one takes its time.
fn key() -> &'static RsaPrivateKey {
    static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| RsaPrivateKey::new(&mut OsRng, 2048).unwrap())
}

fn pem() -> String {
    key().to_pkcs1_pem(LineEnding::LF).unwrap().to_string()
}

fn public() -> PublicKey {
    PublicKey::new(&key().n().to_bytes_be(), &key().e().to_bytes_be())
}

const ALIAS: &str = "alias/fresh";

struct Desk {
    machine: Machine,
    pem: String,
}

impl Desk {
    fn new() -> Self {
        Self::of(Machine::of_admin())
    }

    fn of(machine: Machine) -> Self {
        let pem = machine.home.file("new.pem", pem());
        let pem = pem.to_str().unwrap().to_owned();
        Self { machine, pem }
    }

    fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [
            "key", "import", "--yes", "--pem", &self.pem, "--alias", ALIAS,
        ]
        .iter()
        .chain(more)
        .copied()
        .collect()
    }

    /// Runs the import. No line of the private key may be in the output or in a request.
    fn import(&self, more: &[&str]) -> Outcome {
        let outcome = self.machine.run(&self.arguments(more));
        self.check(&outcome);
        outcome
    }

    fn check(&self, outcome: &Outcome) {
        let pem = pem();
        let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with('-')).collect();
        for line in lines {
            assert!(!outcome.stdout.contains(line) && !outcome.stderr.contains(line));
            for exchange in self.machine.sandbox.requests() {
                assert!(!exchange.body_text().contains(line), "{exchange:?}");
            }
        }
    }

    /// The keys that hold the private key or were made for it: id, region, state.
    fn keys(&self) -> Vec<(String, String, KeyState)> {
        self.machine.sandbox.change(|world| {
            let ours = world
                .keys
                .iter()
                .filter(|key| key.tags.contains_key("app-token:fingerprint"));
            ours.map(|key| (key.id.clone(), key.region.clone(), key.state))
                .collect()
        })
    }

    fn alias(&self, name: &str, region: &str) -> Option<String> {
        self.machine.sandbox.change(|world| {
            let alias = world
                .aliases
                .iter()
                .find(|one| one.name == name && one.region == region)?;
            Some(alias.key_id.clone())
        })
    }

    /// One key, enabled, with the right material, behind the alias.
    #[track_caller]
    fn is_done(&self, regions: &[&str]) {
        let keys = self.keys();
        assert_eq!(keys.len(), regions.len(), "{keys:?}");
        for region in regions {
            let id = self.alias(ALIAS, region).unwrap();
            assert!(
                keys.contains(&(id.clone(), (*region).to_owned(), KeyState::Enabled)),
                "{keys:?}"
            );
            self.machine.sandbox.change(|world| {
                let key = world
                    .keys
                    .iter()
                    .find(|key| key.id == id && key.region == *region)
                    .unwrap();
                assert_eq!(key.bound_to, Some(public()));
                let policy = key.policy.to_string();
                assert!(
                    policy.contains("SignJwtsOnly")
                        && policy.contains("AdministrationWithoutSigning")
                );
            });
        }
    }
}

#[test]
fn a_private_key_is_brought_in_and_the_alias_printed() {
    for text in [
        pem(),
        key().to_pkcs8_pem(LineEnding::LF).unwrap().to_string(),
    ] {
        let desk = Desk::new();
        std::fs::write(&desk.pem, text).unwrap();
        let done = desk
            .import(&[
                "--sign-role",
                "arn:aws:iam::123456789012:role/app-token-signer",
            ])
            .good();
        assert_eq!(
            done.stdout,
            "arn:aws:kms:us-east-1:123456789012:alias/fresh\n"
        );
        assert!(done.stderr.contains("fingerprint   SHA256:"));
        desk.is_done(&["us-east-1"]);
        // Again: nothing is left to do, nothing is made.
        assert!(
            desk.import(&[])
                .good()
                .stderr
                .contains("Nothing is left to do.")
        );
        assert_eq!(
            desk.machine.sandbox.requests_of(Call::KmsCreateKey).len(),
            1
        );
    }
}

#[test]
fn the_imported_key_makes_tokens_for_the_app_that_it_belongs_to() {
    let desk = Desk::new();
    desk.import(&[]).good();
    desk.machine
        .sandbox
        .change(|world| world.apps[0].public_keys.push(public()));
    let arguments = [
        "create",
        "--client-id",
        world::CLIENT_ID,
        "--kms-key-id",
        ALIAS,
        "-r",
        "repo-a",
        "-p",
        "contents=read",
    ];
    desk.machine.run_with_token(&arguments, None).good();
    assert_eq!(desk.machine.sandbox.tokens().len(), 1);
}

#[test]
fn the_key_can_come_from_standard_input() {
    let desk = Desk::new();
    let arguments = ["key", "import", "--yes", "--pem", "-", "--alias", ALIAS];
    let outcome = desk.machine.run_with_token(&arguments, Some(&pem())).good();
    desk.check(&outcome);
    desk.is_done(&["us-east-1"]);
}

#[test]
fn several_regions_have_keys_of_their_own_or_one_multi_region_key() {
    let regions = ["--region", "us-east-1", "--region", "eu-west-1"];
    let desk = Desk::new();
    desk.import(&regions).good();
    desk.is_done(&["us-east-1", "eu-west-1"]);
    let keys = desk.keys();
    assert_ne!(keys[0].0, keys[1].0);

    let desk = Desk::new();
    desk.import(&[&regions[..], &["--multi-region"]].concat())
        .good();
    desk.is_done(&["us-east-1", "eu-west-1"]);
    let keys = desk.keys();
    assert!(keys[0].0 == keys[1].0 && keys[0].0.starts_with("mrk-"));
}

#[test]
fn a_dry_run_and_a_refused_plan_change_nothing() {
    let desk = Desk::new();
    let plan = ["key", "import", "--pem", &desk.pem, "--alias", ALIAS];
    let dry = desk
        .machine
        .run(&[&plan[..], &["--dry-run"]].concat())
        .good();
    assert!(
        dry.stderr
            .contains("1. create a key: RSA_2048, SIGN_VERIFY, origin EXTERNAL"),
        "{}",
        dry.stderr
    );
    desk.machine
        .run(&plan)
        .bad(3, "nothing was changed, since nobody agreed to it");
    for exchange in desk.machine.sandbox.requests() {
        let reads = [
            Call::GetCallerIdentity,
            Call::KmsDescribeKey,
            Call::KmsListKeys,
            Call::KmsListResourceTags,
            Call::KmsListAliases,
        ];
        assert!(reads.contains(&exchange.call), "{exchange:?}");
    }
}

#[test]
fn every_bad_file_is_refused_before_anybody_is_asked() {
    let rsa = |bits| RsaPrivateKey::new(&mut OsRng, bits).unwrap();
    let public = key()
        .to_public_key()
        .to_public_key_pem(LineEnding::LF)
        .unwrap();
    let ec = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n";
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIFHDBO\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let desk = Desk::new();
    for (text, message) in [
        (
            String::new(),
            "the private key is not in PEM form: it is empty",
        ),
        (
            "hello".into(),
            "the private key is not in PEM form: no line says -----BEGIN ...-----",
        ),
        (
            public,
            "there is a public key where the private key should be",
        ),
        (encrypted.into(), "the private key is encrypted"),
        (
            ec.into(),
            "the private key is not an RSA key: EC PRIVATE KEY",
        ),
        (
            rsa(1024).to_pkcs1_pem(LineEnding::LF).unwrap().to_string(),
            "does not have 2048 bits: it has 1024",
        ),
        (
            rsa(4096).to_pkcs8_pem(LineEnding::LF).unwrap().to_string(),
            "does not have 2048 bits: it has 4096",
        ),
        (
            pem()[..900].to_owned(),
            "the private key is damaged: its last line is missing",
        ),
        (pem().repeat(2), "there is more than one key in the file: 2"),
        (
            pem().replace("RSA PRIVATE KEY", "CERTIFICATE"),
            "there is something else where the private key should be",
        ),
    ] {
        std::fs::write(&desk.pem, &text).unwrap();
        desk.import(&[]).bad(1, message);
    }
    std::fs::remove_file(&desk.pem).unwrap();
    desk.import(&[])
        .bad(1, "the private key's file cannot be read");
    // The key itself where its path belongs, as an option of its own or with an equals sign.
    let key = pem();
    let body = key.lines().nth(3).unwrap();
    for pem in [vec!["--pem", &key], vec![&*format!("--pem={key}")]] {
        let all = [&["key", "import", "--yes", "--alias", ALIAS][..], &pem].concat();
        let run = desk.machine.run(&all);
        assert!(!run.stdout.contains(body) && !run.stderr.contains(body));
        run.bad(1, "the private key's file cannot be read");
    }
    for (arguments, message) in [
        (["--alias", "fresh"], "the alias is malformed"),
        (["--sign-role", "app-token"], "an ARN is malformed"),
    ] {
        let all = [&["key", "import", "--yes", "--pem", "x"][..], &arguments].concat();
        let all = if arguments[0] == "--alias" {
            all
        } else {
            [&all[..], &["--alias", ALIAS]].concat()
        };
        desk.machine.run(&all).bad(1, message);
    }
    assert!(desk.machine.sandbox.requests().is_empty());
}

#[test]
fn keys_and_aliases_of_others_are_left_alone() {
    let desk = Desk::new();
    let import = |alias: &str, more: &[&str]| {
        let arguments = [
            "key", "import", "--yes", "--pem", &desk.pem, "--alias", alias,
        ];
        desk.machine.run(&[&arguments[..], more].concat())
    };
    import(world::ALIAS, &[]).bad(1, "the alias belongs to another key");
    let pending =
        import(world::PENDING_IMPORT_ALIAS, &[]).bad(1, "the alias belongs to another key");
    assert!(
        pending
            .stderr
            .contains(&format!("--key-id {}", world::PENDING_IMPORT_KEY_ID))
    );
    import(ALIAS, &["--key-id", world::KEY_ID])
        .bad(1, "the KMS key already holds another private key");
    import(ALIAS, &["--key-id", world::ENCRYPT_KEY_ID])
        .bad(1, "the KMS key cannot take an App's private key");
    import(ALIAS, &["--key-id", "99999999-9999-4999-8999-999999999999"])
        .bad(1, "KMS knows no such key");
    assert!(desk.keys().is_empty() && desk.alias(ALIAS, "us-east-1").is_none());
}

#[test]
fn a_key_that_waits_for_its_material_can_be_named() {
    let desk = Desk::new();
    desk.import(&["--key-id", world::PENDING_IMPORT_KEY_ID])
        .good();
    assert_eq!(
        desk.alias(ALIAS, "us-east-1").as_deref(),
        Some(world::PENDING_IMPORT_KEY_ID)
    );
    // Its own policy was not touched.
    assert!(
        desk.machine
            .sandbox
            .requests_of(Call::KmsPutKeyPolicy)
            .is_empty()
    );
}

/// The calls of an import that change something, and Sign.
const STEPS: [Call; 6] = [
    Call::KmsCreateKey,
    Call::KmsGetParametersForImport,
    Call::KmsImportKeyMaterial,
    Call::KmsSign,
    Call::KmsPutKeyPolicy,
    Call::KmsCreateAlias,
];

#[test]
fn a_right_that_is_missing_is_named_and_the_next_run_goes_on() {
    for step in STEPS {
        let name = format!("{step:?}").replacen("Kms", "kms:", 1);
        let desk = Desk::new();
        let denied = Fault::Aws {
            status: 400,
            kind: "AccessDeniedException".into(),
            message: format!("User is not authorized to perform: {name}"),
        };
        desk.machine.sandbox.fault(step, When::Every, denied);
        let failed = desk
            .import(&[])
            .bad(1, &format!("a right for KMS is missing: {name}; "));
        assert_eq!(
            failed.stderr.contains("half-way: in us-east-1 key "),
            step != Call::KmsCreateKey
        );
        assert!(desk.alias(ALIAS, "us-east-1").is_none());
        desk.machine.sandbox.clear_faults();
        desk.import(&[]).good();
        desk.is_done(&["us-east-1"]);
    }
}

#[test]
fn an_answer_that_is_lost_does_no_harm() {
    for step in STEPS {
        let desk = Desk::new();
        // The call takes effect, and nobody hears of it.
        desk.machine
            .sandbox
            .fault(step, When::First(1), Fault::ResetInBody);
        let first = desk.import(&[]);
        // Making a key is not tried twice: that could make two.
        assert_eq!(
            first.status,
            Some(if step == Call::KmsCreateKey { 1 } else { 0 }),
            "{step:?} {}",
            first.stderr
        );
        desk.import(&[]).good();
        desk.is_done(&["us-east-1"]);
    }
}

#[test]
fn killed_at_any_step_the_next_run_ends_with_one_working_key() {
    for step in STEPS {
        // Before the call had its effect, and after.
        for fault in [Fault::Hang, Fault::Delay(Duration::from_secs(30))] {
            let desk = Desk::new();
            desk.machine.sandbox.fault(step, When::First(1), fault);
            let mut command = desk.machine.command(&desk.arguments(&[]));
            let mut child = command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let arrived =
                |seen: &[app_token_sandbox::Exchange]| seen.iter().any(|one| one.call == step);
            assert!(
                desk.machine
                    .sandbox
                    .wait_for(Duration::from_secs(60), arrived),
                "{step:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(desk.alias(ALIAS, "us-east-1").is_none() || step == Call::KmsCreateAlias);
            desk.machine.sandbox.clear_faults();
            desk.import(&[]).good();
            desk.is_done(&["us-east-1"]);
        }
    }
}

#[test]
fn a_multi_region_import_that_was_killed_goes_on() {
    let regions = ["--region", "us-east-1,eu-west-1", "--multi-region"];
    for step in [
        Call::KmsReplicateKey,
        Call::KmsImportKeyMaterial,
        Call::KmsCreateAlias,
    ] {
        let desk = Desk::new();
        let region = if step == Call::KmsReplicateKey {
            "us-east-1"
        } else {
            "eu-west-1"
        };
        desk.machine
            .sandbox
            .fault_in(region, step, When::Every, Fault::Reset);
        desk.import(&regions)
            .bad(1, "the server could not be reached");
        desk.machine.sandbox.clear_faults();
        desk.import(&regions).good();
        desk.is_done(&["us-east-1", "eu-west-1"]);
    }
}

#[test]
fn keys_left_by_somebody_else_s_tries_are_reported() {
    let desk = Desk::new();
    // Two runs at once made a key each; one got no further.
    desk.machine
        .sandbox
        .fault(Call::KmsGetParametersForImport, When::Every, Fault::Reset);
    desk.import(&[]).bad(1, "the server could not be reached");
    let made = desk.keys()[0].0.clone();
    desk.machine.sandbox.clear_faults();
    desk.machine.sandbox.change(|world| {
        let mut copy = world
            .keys
            .iter()
            .find(|key| key.id == made)
            .unwrap()
            .clone();
        copy.id = "ffffffff-ffff-4fff-8fff-ffffffffffff".into();
        world.keys.push(copy);
    });
    let done = desk.import(&[]).good();
    assert!(done.stderr.contains("key ffffffff-ffff-4fff-8fff-ffffffffffff (PendingImport) was made for the same private key"), "{}", done.stderr);
    assert_eq!(desk.alias(ALIAS, "us-east-1"), Some(made));
}

#[test]
fn a_second_alias_does_not_touch_the_first_one_s_key() {
    let desk = Desk::new();
    desk.import(&[]).good();
    let first = desk.alias(ALIAS, "us-east-1");
    let arguments = [
        "key",
        "import",
        "--yes",
        "--pem",
        &desk.pem,
        "--alias",
        "alias/second",
    ];
    let done = desk.machine.run(&arguments).good();
    assert!(
        done.stderr
            .contains("behind alias/fresh; it is left as it is"),
        "{}",
        done.stderr
    );
    assert_ne!(desk.alias("alias/second", "us-east-1"), first);
}

#[test]
fn a_policy_with_a_role_that_does_not_exist_is_refused_and_mended() {
    let desk = Desk::new();
    let role = "arn:aws:iam::123456789012:role/nobody";
    desk.import(&["--sign-role", role]).bad(
        1,
        "KMS refused an operation: PutKeyPolicy; MalformedPolicyDocumentException",
    );
    desk.import(&[
        "--sign-role",
        "arn:aws:iam::123456789012:role/app-token-signer",
    ])
    .good();
    desk.is_done(&["us-east-1"]);
}

fn rotate<'a>(desk: &'a Desk, more: &[&'a str]) -> Outcome {
    let arguments = [
        "key",
        "rotate",
        "--yes",
        "--pem",
        &desk.pem,
        "--alias",
        world::ALIAS,
        "--client-id",
        world::CLIENT_ID,
    ];
    let outcome = desk.machine.run(&[&arguments[..], more].concat());
    desk.check(&outcome);
    outcome
}

#[test]
fn a_rotation_moves_the_alias_once_github_takes_the_key_and_can_be_undone() {
    let desk = Desk::new();
    let before = desk.alias(world::ALIAS, "us-east-1");
    // The private key is not this App's yet.
    rotate(&desk, &[]).bad(1, "GitHub does not take the new key for this App");
    assert_eq!(desk.alias(world::ALIAS, "us-east-1"), before);
    desk.machine
        .sandbox
        .change(|world| world.apps[0].public_keys.push(public()));
    let done = rotate(&desk, &[]).good();
    assert!(
        done.stderr.contains(&format!("--key-id {}", world::KEY_ID)),
        "{}",
        done.stderr
    );
    assert_eq!(desk.keys().len(), 1);
    assert_eq!(
        desk.alias(world::ALIAS, "us-east-1"),
        Some(desk.keys()[0].0.clone())
    );
    // The new key signs for whom the old one did.
    let mut signer = Machine::new();
    signer.env = desk.machine.sandbox.env();
    let create = [
        "create",
        "--client-id",
        world::CLIENT_ID,
        "--kms-key-id",
        world::ALIAS,
        "-r",
        "repo-a",
        "-p",
        "contents=read",
    ];
    signer.run_with_token(&create, None).good();
    assert!(
        rotate(&desk, &[])
            .good()
            .stderr
            .contains("Nothing is left to do")
    );

    let undo = ["key", "rotate", "--undo", "--yes", "--alias", world::ALIAS];
    desk.machine.run(&undo).good();
    assert_eq!(desk.alias(world::ALIAS, "us-east-1"), before);
    // And that, too.
    desk.machine.run(&undo).good();
    assert_eq!(
        desk.alias(world::ALIAS, "us-east-1"),
        Some(desk.keys()[0].0.clone())
    );
}

#[test]
fn rotations_say_what_they_lack() {
    let desk = Desk::new();
    let run = |arguments: &[&str]| {
        desk.machine
            .run(&[&["key", "rotate", "--yes"][..], arguments].concat())
    };
    run(&[
        "--pem",
        &desk.pem,
        "--alias",
        "alias/nope",
        "--client-id",
        "x",
    ])
    .bad(1, "there is no such alias");
    run(&["--pem", &desk.pem, "--alias", world::ALIAS])
        .bad(1, "neither client-id nor app-id is set");
    run(&["--undo", "--alias", world::ALIAS]).bad(1, "there is no rotation to undo");
    let wrong = run(&["--alias", world::ALIAS]);
    assert_eq!(wrong.status, Some(2));
}

#[test]
fn somebody_without_rights_hears_which() {
    let desk = Desk::of(Machine::with(Sandbox::start().unwrap(), world::STRANGER));
    desk.import(&[]).bad(
        1,
        "a right for KMS is missing: kms:ListKeys; AccessDeniedException",
    );
    let desk = Desk::of(Machine::with(
        Sandbox::start().unwrap(),
        world::EXPIRED_SESSION,
    ));
    desk.import(&[]).bad(1, "the AWS credentials have expired");
}
