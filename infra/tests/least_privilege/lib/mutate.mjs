// What is not missed when it is taken away: statements, and single actions and resources of them.

import { NOT_OURS } from "./plan.mjs";

const list = (value) => (Array.isArray(value) ? value : [value]);
const matches = (pattern, action) =>
  new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".")}$`, "i").test(action);

// Every document that has one statement less, or one action or resource of one, with what was taken away.
export function* mutants(document, effect) {
  for (const [index, statement] of document.Statement.entries()) {
    if (statement.Effect !== effect || statement.Sid === NOT_OURS) continue;
    const sid = statement.Sid ?? `statement ${index + 1}`;
    const others = document.Statement.filter((_, other) => other !== index);
    const actions = list(statement.Action);
    yield { what: sid, kind: "statement", actions, document: { ...document, Statement: others } };
    for (const [member, kind] of [["Action", "action"], ["Resource", "resource"]]) {
      const values = list(statement[member] ?? []);
      if (values.length < 2) continue;
      for (const value of values) {
        const less = { ...statement, [member]: values.filter((other) => other !== value) };
        const Statement = document.Statement.map((other, at) => (at === index ? less : other));
        const touched = kind === "action" ? [value] : actions;
        yield { what: `${sid}: ${value}`, kind, actions: touched, document: { ...document, Statement } };
      }
    }
  }
}

// Counts the mutants and names those that change the answer to none of the asks. Whoever looks for Allow statements gives
// asks that are allowed, for Deny statements asks that are denied.
export async function survivors(world, effect, asksFor, policies = world.policies()) {
  const found = { statement: 0, action: 0, resource: 0, survivors: [] };
  const expected = effect === "Allow";
  for (const [kind, whose, document] of policies) {
    const asks = asksFor(kind, whose);
    for (const mutant of mutants(document, effect)) {
      found[mutant.kind] += 1;
      const changed = world.with(kind, whose, mutant.document);
      const candidates = asks.filter((ask) => mutant.actions.some((pattern) => matches(pattern, ask.action)));
      if (!(await any(candidates, async (ask) => (await changed.allows(ask)) !== expected))) {
        found.survivors.push(`${kind} policy of ${whose}: ${mutant.what}`);
      }
    }
  }
  return found;
}

async function any(items, test) {
  for (const item of items) {
    if (await test(item)) return true;
  }
  return false;
}
