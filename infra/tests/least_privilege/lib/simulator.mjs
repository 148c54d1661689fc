// The simulator of IAM policies, of which this is the only user. It is loaded from .tools, where ./install puts it.

import { createRequire } from "node:module";

const load = createRequire(new URL("../../../../.tools/least-privilege/package.json", import.meta.url));
const { runSimulation, runUnsafeSimulation } = load("@cloud-copilot/iam-simulate");

// Whether `request` is allowed: {principal, action, resource, account, context} where `account` owns the resource, under
// `identity` (a policy, or none) and `resourcePolicy` (a policy, or none).
export async function allows(request, identity, resourcePolicy) {
  const simulation = {
    request: {
      principal: request.principal,
      action: request.action,
      resource: { resource: request.resource, accountId: request.account },
      contextVariables: request.context,
    },
    identityPolicies: identity ? [{ name: "identity", policy: identity }] : [],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    resourcePolicy,
  };
  const result = await runSimulation(simulation, {});
  if (result.resultType === "error") {
    // The ARN of a bus is one of two kinds of resource, its generations. The answer is the same for both.
    if (result.errors.message === "multiple.resource.types" && request.action.startsWith("events:")) {
      return runUnsafeSimulation(simulation, {}) === "Allowed";
    }
    throw new Error(`the simulator refuses ${JSON.stringify(request)}: ${JSON.stringify(result.errors)}`);
  }
  return result.overallResult === "Allowed";
}
