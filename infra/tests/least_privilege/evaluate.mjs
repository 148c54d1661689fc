// Evaluates the recorded calls and the forbidden ones against the policies of a plan.
//   node evaluate.mjs PLAN.json CALLS.jsonl

import { asksOf, readRecord, readUnrecorded, told } from "./lib/calls.mjs";
import { readPlan } from "./lib/plan.mjs";
import { survivors } from "./lib/mutate.mjs";
import { allows } from "./lib/simulator.mjs";
import { World, policyPlace } from "./lib/world.mjs";
import { controls } from "./controls.mjs";
import { selfCheck } from "./selfcheck.mjs";
import { deployment } from "./deployment.mjs";
import { forbidden, mustStayAllowed } from "./forbidden.mjs";

const [planFile, callsFile] = process.argv.slice(2);
const problems = [];
const began = Date.now();
const report = (text) => console.log(`${String(Math.round((Date.now() - began) / 1000)).padStart(4)} s  ${text}`);

const plan = readPlan(planFile);
const record = readRecord(callsFile);
const world = new World(plan, record.snapshotPolicies);

const checked = await controls(allows);
problems.push(...checked.failed.map((name) => `the simulator cannot be believed: ${name}`));
report(`${checked.count} controls of the simulator`);

problems.push(...deployment(plan, record));
report("the state machines, a target's statements, the schedules' inputs and the deny lists are Levee's own");

// Recorded calls that must be denied, because the twin or AWS denies them by design.
const sources = new Set([...plan.resource.keys()].filter((arn) => /^arn:aws:s3:::lake-/.test(arn)));
const DENIED_BY_DESIGN = [
  ["a bucket that another account has taken", (ask) => ask.outcome === "AccessDenied" && ask.owner !== ask.account && !sources.has(policyPlace(ask))],
  ["an inventory of a bucket that is no source of the deployment", (ask) => ask.principal === "s3.amazonaws.com" && !sources.has(ask.facts["aws:SourceArn"])],
];
// The queue of somebody who has subscribed: its policy is his.
const OUTSIDE = /:on-call$/;

const recorded = asksOf(record.calls).filter((ask) => !OUTSIDE.test(ask.resource));
const listed = readUnrecorded(new URL("unrecorded.json", import.meta.url));
// A role that the plan does not have would be taken for an administrator, and everything it called be allowed.
for (const arn of new Set([...recorded, ...listed].map((ask) => ask.principal))) {
  if (/:role\/levee-/.test(arn) && !world.identity.has(arn)) problems.push(`the plan has no role ${arn}`);
}
const needed = [];
const denied = [];
for (const ask of [...recorded, ...listed]) {
  const design = DENIED_BY_DESIGN.find(([, applies]) => applies(ask));
  const allowed = await world.allows(ask);
  if (allowed === Boolean(design)) {
    problems.push(`${told(ask)} is ${allowed ? "allowed" : "denied"} and must not be (${design?.[0] ?? `${ask.from}, ${ask.outcome}`})`);
  } else (design ? denied : needed).push(ask);
}
for (const [name] of DENIED_BY_DESIGN) {
  if (!denied.some((ask) => DENIED_BY_DESIGN.find(([other]) => other === name)[1](ask))) problems.push(`no recorded call is about ${name}`);
}
const principals = new Set(recorded.map((ask) => ask.principal));
report(`${record.calls.length} recorded calls of ${principals.size} principals: ${recorded.length} needs, ${denied.length} of them to be denied; ${listed.length} listed`);

if (forbidden.length < 60) problems.push(`there are ${forbidden.length} forbidden calls`);
const stopped = [];
for (const ask of forbidden) {
  if (await world.allows(ask)) problems.push(`${told(ask)} is allowed and must not be: ${ask.why}`);
  else stopped.push(ask);
}
for (const ask of mustStayAllowed) {
  if (await world.allows(ask)) needed.push(ask);
  else problems.push(`${told(ask)} is denied and must not be: ${ask.why}`);
}
report(`${forbidden.length} forbidden calls for ${new Set(forbidden.map((ask) => ask.why)).size} reasons, ${mustStayAllowed.length} that must stay allowed`);

const taken = ({ statement, action, resource }) => `${statement} statements, ${action} single actions and ${resource} single resources`;
const about = (asks) => (kind, whose) =>
  asks.filter((ask) => {
    if (kind === "identity") return ask.principal === whose;
    if ((kind === "trust") !== (ask.action === "sts:AssumeRole")) return false;
    return kind === "trust" ? ask.resource === whose : policyPlace(ask) === whose;
  });
const allow = await survivors(world, "Allow", about(needed));
problems.push(...allow.survivors.map((what) => `nothing needs this Allow, ${what}`));
report(`taken away: ${taken(allow)} of Allow statements`);

const deny = await survivors(world, "Deny", about(stopped));
problems.push(...deny.survivors.map((what) => `nothing is stopped by this Deny, ${what}`));
report(`taken away: ${taken(deny)} of Deny statements`);

const blind = await selfCheck({ plan, record, world, needed, stopped, about });
problems.push(...blind.failed.map((what) => `this goes unnoticed: ${what}`));
report(`${blind.count} flaws planted`);

const silent = [...world.identity.keys()].filter((arn) => !principals.has(arn));
report(`roles without a recorded call: ${silent.map((arn) => arn.split("/").pop()).join(", ") || "none"}`);

for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? "least privilege holds" : `${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
