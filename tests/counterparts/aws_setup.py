"""Fills a KMS, IAM and STS with what the cases need, and says what it made, as JSON.

Arguments: the endpoint, and the id of the OIDC provider (a host). Standard input: the App's private key,
PEM. The clients are AWS's own boto3; the wrapping is that of the library `cryptography`.
"""

import json
import os
import sys

import boto3
from botocore.config import Config
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

ENDPOINT, PROVIDER = sys.argv[1:3]
REGION = "us-east-1"
# With the numeric ids that new and renamed repositories carry.
SUBJECT = "repo:my-org@1001/repo-a@50001:ref:refs/heads/main"


def client(service, **credentials):
    config = Config(retries={"total_max_attempts": 1})
    return boto3.client(
        service, endpoint_url=ENDPOINT, region_name=REGION, config=config, **credentials
    )


ROOT = {"aws_access_key_id": "rootkey", "aws_secret_access_key": "rootsecret"}
kms, iam, sts = (client(service, **ROOT) for service in ("kms", "iam", "sts"))


def wrapped(key, public_der):
    """RSA_AES_KEY_WRAP_SHA_256: RFC 5649 around the key, RSA-OAEP around the AES key."""
    aes = os.urandom(32)
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    sha256 = hashes.SHA256()
    oaep = padding.OAEP(padding.MGF1(sha256), sha256, None)
    public = serialization.load_der_public_key(public_der)
    return public.encrypt(aes, oaep) + aes_key_wrap_with_padding(aes, der)


def external():
    created = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY", Origin="EXTERNAL")
    return created["KeyMetadata"]["Arn"]


def parameters(arn):
    return kms.get_parameters_for_import(
        KeyId=arn, WrappingAlgorithm="RSA_AES_KEY_WRAP_SHA_256", WrappingKeySpec="RSA_4096"
    )


def imported(key):
    arn = external()
    wrapping = parameters(arn)
    kms.import_key_material(
        KeyId=arn,
        ImportToken=wrapping["ImportToken"],
        EncryptedKeyMaterial=wrapped(key, wrapping["PublicKey"]),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    return arn


def allow(action, resource):
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement]})


def user(name, policy=None):
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    if policy:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return arn, {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"], "token": ""}


def role(name, trusted, policy):
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    return arn


pem = serialization.load_pem_private_key(sys.stdin.buffer.read(), None)
key = imported(pem)
kms.create_alias(AliasName="alias/github-app", TargetKeyId=key)

disabled = imported(pem)
kms.disable_key(KeyId=disabled)
deleted = imported(pem)
kms.schedule_key_deletion(KeyId=deleted, PendingWindowInDays=7)
encrypts = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"]
generated = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]

# AWS resolves an alias before it looks at policies; ministack looks for the alias's own ARN.
sign_one = allow("kms:Sign", [key, key.split(":key/")[0] + ":alias/github-app"])
provider = iam.create_open_id_connect_provider(
    Url=f"https://{PROVIDER}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
)["OpenIDConnectProviderArn"]


def federated(subject, audience="sts.amazonaws.com"):
    return trust({
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{PROVIDER}:aud": audience, f"{PROVIDER}:sub": subject},
        },
    })


ci_arn, ci = user("ci", allow("sts:AssumeRole", "*"))
_, signer = user("signer", sign_one)
_, stranger = user("stranger")
_, tester = user("tester", allow("kms:Sign", "*"))
_, admin = user("admin", allow("kms:*", "*"))
signing_role = role("signing", trust({"Principal": {"AWS": ci_arn}, "Action": "sts:AssumeRole"}), sign_one)
session = client(
    "sts", aws_access_key_id=ci["id"], aws_secret_access_key=ci["secret"]
).assume_role(RoleArn=signing_role, RoleSessionName="e2e", DurationSeconds=900)["Credentials"]

public = serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
json.dump(
    {
        "keys": {
            "signing": key,
            "disabled": disabled,
            "pending-import": external(),
            "pending-deletion": deleted,
            "encrypts": encrypts,
            "generated": generated,
        },
        "public_key": public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode(),
        "same_key": public == pem.public_key(),
        "users": {
            "ci": ci,
            "signer": signer,
            "stranger": stranger,
            "tester": tester,
            "admin": admin,
            "session": {
                "id": session["AccessKeyId"],
                "secret": session["SecretAccessKey"],
                "token": session["SessionToken"],
            },
        },
        "roles": {
            "signing": signing_role,
            "fits": role("web", federated(SUBJECT), sign_one),
            "other-subject": role("other-subject", federated(SUBJECT + "-other"), sign_one),
            "other-audience": role("other-audience", federated(SUBJECT, "other"), sign_one),
            "fits-but-may-not-sign": role("idle", federated(SUBJECT), allow("kms:ListKeys", "*")),
        },
    },
    sys.stdout,
)
