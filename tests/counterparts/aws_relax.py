"""Takes out of a key's policy the conditions that ministack never finds met, and prints the key's ARN and
the policy as it was, as JSON. Arguments: the endpoint and the key's alias."""

import json
import sys

import boto3

UNJUDGED = ("kms:SigningAlgorithm", "kms:MessageType")

kms = boto3.client(
    "kms",
    endpoint_url=sys.argv[1],
    region_name="us-east-1",
    aws_access_key_id="rootkey",
    aws_secret_access_key="rootsecret",
)
arn = kms.describe_key(KeyId=sys.argv[2])["KeyMetadata"]["Arn"]
policy = kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
relaxed = json.loads(policy)
for statement in relaxed["Statement"]:
    for operator, keys in list(statement.get("Condition", {}).items()):
        for key in UNJUDGED:
            keys.pop(key, None)
        if not keys:
            del statement["Condition"][operator]
    if not statement.get("Condition", True):
        del statement["Condition"]
kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=json.dumps(relaxed))
json.dump({"key": arn, "policy": json.loads(policy)}, sys.stdout)
