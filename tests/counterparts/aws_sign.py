"""Signs standard input through KMS and prints the signature in hexadecimal digits. Arguments: the
endpoint, the key and the region."""

import sys

import boto3

kms = boto3.client(
    "kms",
    endpoint_url=sys.argv[1],
    region_name=sys.argv[3],
    aws_access_key_id="rootkey",
    aws_secret_access_key="rootsecret",
)
answer = kms.sign(
    KeyId=sys.argv[2],
    Message=sys.stdin.buffer.read(),
    MessageType="RAW",
    SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256",
)
print(answer["Signature"].hex())
