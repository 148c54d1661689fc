// The deployment as policies see it: who may do what to what.

import { keyPolicy } from "./plan.mjs";
import { allows } from "./simulator.mjs";

const TRUSTS_NOBODY = {
  Version: "2012-10-17",
  Statement: [{ Effect: "Deny", Principal: "*", Action: "sts:AssumeRole" }],
};
const EVERYTHING = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };

// An ask is {principal, account, action, resource, owner, facts, bare}: `account` is the caller's and `owner` the
// resource's; `bare` says that the resource had no policy yet.
export class World {
  constructor(plan, snapshotPolicies) {
    this.trust = plan.trust;
    this.identity = plan.identity;
    this.resource = new Map(plan.resource);
    this.planned = new Set(plan.resource.keys());
    for (const [bucket, policy] of snapshotPolicies) this.resource.set(`arn:aws:s3:::${bucket}`, policy);
  }

  // Every policy with a name: [kind, whose, document].
  *policies() {
    for (const [kind, all] of Object.entries({ identity: this.identity, trust: this.trust, resource: this.resource })) {
      for (const [whose, document] of all) yield [kind, whose, document];
    }
  }

  // The same deployment with one document in place of another.
  with(kind, whose, document) {
    const changed = Object.create(World.prototype, Object.getOwnPropertyDescriptors(this));
    changed[kind] = new Map(this[kind]).set(whose, document);
    return changed;
  }

  async allows(ask) {
    const request = {
      principal: ask.principal,
      action: ask.action,
      resource: ask.resource,
      account: ask.owner,
      context: contextOf(ask),
    };
    return allows(request, this.identityOf(ask), this.resourcePolicyOf(ask));
  }

  // Principals that are not the deployment's are administrators of their accounts: what they may not do is denied to
  // everybody like them.
  identityOf(ask) {
    if (isService(ask.principal)) return undefined;
    const own = this.identity.get(ask.principal);
    if (own && own.Statement.length > 0) return own;
    if (own || this.trust.has(ask.principal)) return undefined;
    return EVERYTHING;
  }

  resourcePolicyOf(ask) {
    const arn = policyPlace(ask);
    // A role that trusts nobody is taken on by nobody, whatever the caller's own policy says.
    if (ask.action === "sts:AssumeRole") return nonEmpty(this.trust.get(arn)) ?? TRUSTS_NOBODY;
    // A recorded bucket may have had no policy when the rig had none for it; the deployment's own always have theirs.
    if (ask.bare && !this.planned.has(arn)) return undefined;
    if (ask.action.startsWith("kms:")) return nonEmpty(this.resource.get(arn) ?? keyPolicy(arn));
    return nonEmpty(this.resource.get(arn));
  }
}

// The ARN of what the resource policy of an ask is attached to.
export function policyPlace({ resource }) {
  if (resource.startsWith("arn:aws:s3:::")) return resource.split("/")[0];
  return resource.replace(/(:log-group:[^:]+):.*$/, "$1");
}

export const isService = (principal) => principal.endsWith(".amazonaws.com");

function contextOf({ principal, account, owner, facts }) {
  const caller = isService(principal)
    ? { "aws:PrincipalIsAWSService": "true", "aws:PrincipalServiceName": principal }
    : { "aws:PrincipalIsAWSService": "false", "aws:PrincipalArn": principal, "aws:PrincipalAccount": account };
  return { "aws:SecureTransport": "true", "aws:ResourceAccount": owner, ...caller, ...facts };
}

const nonEmpty = (policy) => (policy && policy.Statement.length > 0 ? policy : undefined);
