# What AWS needs for a GitHub App's private key: an RSA key that waits for its material, the role that may
# sign with it and nothing else, and, if it is not there yet, the OIDC provider. After it:
#
#   app-token key import --pem FILE --alias alias/github-app --key-id "$(terraform output -raw key_id)"
#
# Never set key_material_base64 here: Terraform would keep the private key in its state.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source = "hashicorp/aws"
      # aws_kms_external_key takes key_spec and key_usage in late releases of version 6.
      version = ">= 6.27"
    }
  }
}

variable "role_name" {
  description = "The role that workflows assume."
  type        = string
  default     = "app-token"
}

variable "repository_ids" {
  description = "The numbers of the repositories whose workflows may assume the role."
  type        = list(string)
  # default: repository-ids
}

variable "subjects" {
  description = "What the claim sub must look like; AWS wants it in every trust policy for this provider."
  type        = list(string)
  # default: subjects
}

variable "workflow_refs" {
  description = "The workflow files, with their refs; * stands for anything."
  type        = list(string)
  # default: workflow-refs
}

variable "environments" {
  description = "The environments that jobs must run in; empty for any, and for none."
  type        = list(string)
  # default: environments
}

variable "audience" {
  description = "The audience of the OIDC token."
  type        = string
  # default: audience
}

variable "create_oidc_provider" {
  description = "Whether the account still lacks the provider token.actions.githubusercontent.com."
  type        = bool
  default     = true
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  provider = "token.actions.githubusercontent.com"
  account  = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}"
}

resource "aws_iam_openid_connect_provider" "github" {
  count          = var.create_oidc_provider ? 1 : 0
  url            = "https://${local.provider}"
  client_id_list = [var.audience]
}

resource "aws_iam_role" "app_token" {
  name        = var.role_name
  description = "Signs the JWTs of a GitHub App"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = "${local.account}:oidc-provider/${local.provider}" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = merge(
          {
            "${local.provider}:aud"           = var.audience
            "${local.provider}:repository_id" = var.repository_ids
          },
          length(var.environments) == 0 ? {} : { "${local.provider}:environment" = var.environments },
        )
        StringLike = {
          "${local.provider}:sub"              = var.subjects
          "${local.provider}:job_workflow_ref" = var.workflow_refs
        }
      }
    }]
  })
}

resource "aws_kms_external_key" "app" {
  description             = "Private key of a GitHub App"
  key_spec                = "RSA_2048"
  key_usage               = "SIGN_VERIFY"
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AdministrationWithoutSigning"
        Effect    = "Allow"
        Principal = { AWS = "${local.account}:root" }
        Action = [
          "kms:CancelKeyDeletion",
          "kms:CreateAlias",
          "kms:DeleteAlias",
          "kms:DeleteImportedKeyMaterial",
          "kms:DescribeKey",
          "kms:DisableKey",
          "kms:EnableKey",
          "kms:GetKeyPolicy",
          "kms:GetParametersForImport",
          "kms:GetPublicKey",
          "kms:ImportKeyMaterial",
          "kms:List*",
          "kms:PutKeyPolicy",
          "kms:ReplicateKey",
          "kms:ScheduleKeyDeletion",
          "kms:TagResource",
          "kms:UntagResource",
          "kms:UpdateAlias",
          "kms:UpdateKeyDescription",
        ]
        Resource = "*"
      },
      {
        Sid       = "SignJwtsOnly"
        Effect    = "Allow"
        Principal = { AWS = aws_iam_role.app_token.arn }
        Action    = "kms:Sign"
        Resource  = "*"
        Condition = {
          StringEquals = {
            "kms:SigningAlgorithm" = "RSASSA_PKCS1_V1_5_SHA_256"
            "kms:MessageType"      = "RAW"
          }
        }
      },
    ]
  })

  lifecycle {
    prevent_destroy = true
    # The material is imported by app-token, which Terraform must not undo.
    ignore_changes = [enabled, key_material_base64, valid_to]
  }
}

output "role_arn" {
  description = "For role-to-assume."
  value       = aws_iam_role.app_token.arn
}

output "key_id" {
  description = "For app-token key import --key-id."
  value       = aws_kms_external_key.app.id
}

output "key_arn" {
  description = "For kms-key-id, once the private key is imported."
  value       = aws_kms_external_key.app.arn
}
