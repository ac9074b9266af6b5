"""Deploys a CloudFormation template as it stands, and says what came of it, as JSON.

Argument: the endpoint. Standard input: the template, every parameter of which has a default.
"""

import json
import sys
import time

import boto3

STACK = "app-token"
# Half a minute; ministack is done in a tenth of a second.
TRIES, PAUSE = 60, 0.5


def client(service):
    return boto3.client(
        service,
        endpoint_url=sys.argv[1],
        region_name="us-east-1",
        aws_access_key_id="rootkey",
        aws_secret_access_key="rootsecret",
    )


cloudformation, iam, kms = (client(service) for service in ("cloudformation", "iam", "kms"))
cloudformation.create_stack(
    StackName=STACK,
    TemplateBody=sys.stdin.read(),
    Capabilities=["CAPABILITY_NAMED_IAM"],
    # ministack does not know the type AWS::IAM::OIDCProvider; its set-up has made the provider.
    Parameters=[{"ParameterKey": "CreateOidcProvider", "ParameterValue": "false"}],
)
for _ in range(TRIES):
    stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    if not stack["StackStatus"].endswith("_IN_PROGRESS"):
        break
    time.sleep(PAUSE)
if stack["StackStatus"] != "CREATE_COMPLETE":
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    sys.exit("\n".join(str(event.get("ResourceStatusReason")) for event in events))

outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
role = iam.get_role(RoleName=outputs["RoleArn"].split("/")[-1])["Role"]
inline = iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
attached = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
key = kms.describe_key(KeyId=outputs["KeyId"])["KeyMetadata"]
policy = kms.get_key_policy(KeyId=outputs["KeyId"], PolicyName="default")["Policy"]
# ministack's CloudFormation calls a key without material enabled. AWS has it wait for the import, and so
# does ministack once it is told that there is no material.
kms.delete_imported_key_material(KeyId=outputs["KeyId"])
json.dump(
    {
        "outputs": outputs,
        "role": {"arn": role["Arn"], "trust": role["AssumeRolePolicyDocument"]},
        "role_policies": len(inline) + len(attached),
        "key": {name: key[name] for name in ("Arn", "KeySpec", "KeyUsage", "Origin")},
        "key_policy": json.loads(policy),
    },
    sys.stdout,
)
