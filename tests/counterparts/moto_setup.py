"""Makes a key and a user who may sign with it in moto, whose checks are off at first; says what it made,
as JSON. Argument: the endpoint. The clients are AWS's own boto3."""

import json
import sys

import boto3
from cryptography.hazmat.primitives import serialization

ANYBODY = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


def client(service):
    return boto3.client(service, endpoint_url=sys.argv[1], region_name="us-east-1", **ANYBODY)


kms, iam = client("kms"), client("iam")
created = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
# moto does not know which resource a request to KMS is about.
statement = {"Effect": "Allow", "Action": "kms:Sign", "Resource": "*"}
policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def user(name, *policies):
    iam.create_user(UserName=name)
    for policy in policies:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


public = serialization.load_der_public_key(kms.get_public_key(KeyId=created["KeyId"])["PublicKey"])
json.dump(
    {
        "key": created["Arn"],
        "modulus": f"{public.public_numbers().n:0512x}",
        "signer": user("signer", policy),
        "stranger": user("stranger"),
    },
    sys.stdout,
)
