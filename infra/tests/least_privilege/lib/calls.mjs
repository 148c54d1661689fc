// The calls that are to be allowed: those that the twin has recorded and those that it cannot record.

import { readFileSync } from "node:fs";

export function readRecord(file) {
  const record = { calls: [], snapshotPolicies: new Map(), runs: new Map(), definitions: new Map(), targets: new Map() };
  for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
    const entry = JSON.parse(line);
    if (entry.kind === "call") record.calls.push(entry);
    else if (entry.kind === "policy") record.snapshotPolicies.set(entry.bucket, entry.policy);
    else if (entry.kind === "target") record.targets.set(entry.bucket, entry.statements);
    else if (entry.kind === "run") record.runs.set(entry.run.source, entry.run);
    else if (entry.kind === "definition") record.definitions.set(entry.name, entry.text);
    else throw new Error(`a line of the kind ${entry.kind} is not known`);
  }
  return record;
}

// One ask per need of each call, each once.
export function asksOf(calls) {
  const asks = new Map();
  for (const call of calls) {
    for (const need of call.needs) {
      const ask = {
        principal: call.principal,
        account: call.account,
        action: need.action,
        resource: need.resource,
        owner: need.account,
        facts: call.facts,
        bare: need.without_bucket_policy,
        outcome: call.planned ? "planned fault" : call.outcome,
        from: `the night "${call.night}"`,
      };
      const { outcome, from, ...what } = ask;
      const key = JSON.stringify([what, outcome === "AccessDenied"]);
      if (!asks.has(key)) asks.set(key, ask);
    }
  }
  return [...asks.values()];
}

// Entries of unrecorded.json name several principals, actions and resources at once.
export function readUnrecorded(file) {
  return JSON.parse(readFileSync(file, "utf8")).flatMap((entry) => {
    for (const member of ["principals", "actions", "resources", "why", "page"]) {
      if (!entry[member]?.length) throw new Error(`an entry of ${file} has no ${member}: ${JSON.stringify(entry)}`);
    }
    return entry.principals.flatMap((principal) =>
      entry.actions.flatMap((action) =>
        entry.resources.map((resource) => ({
          principal,
          account: "222222222222",
          action,
          resource,
          owner: ownerOf(resource),
          facts: entry.facts ?? {},
          outcome: "not recorded",
          from: `unrecorded.json: ${entry.why}`,
        })),
      ),
    );
  });
}

// The account that an ARN names, that of a source bucket, or the backup account.
export function ownerOf(resource) {
  const sources = ["lake-events", "lake-payments", "lake-orders"];
  const bucket = resource.match(/^arn:aws:s3:::([^/]+)/)?.[1];
  if (bucket) return sources.includes(bucket) ? "111111111111" : "222222222222";
  return resource.split(":")[4] || "222222222222";
}

export const told = (ask) =>
  `${ask.principal} ${ask.action} on ${ask.resource}${Object.keys(ask.facts ?? {}).length ? ` ${JSON.stringify(ask.facts)}` : ""}`;
