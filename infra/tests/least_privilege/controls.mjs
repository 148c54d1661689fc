// Whether the simulator can be believed: for each thing that the policies use, one request that must be allowed and one
// that must not. A simulator that says yes to everything, or no, fails here.

const ROLE = "arn:aws:iam::222222222222:role/r";
const BUCKET = "arn:aws:s3:::b";
const OBJECT = `${BUCKET}/k`;
const QUEUE = "arn:aws:sqs:us-east-1:222222222222:q";
const KEY = "arn:aws:kms:us-east-1:111111111111:key/11111111-0000-4000-8000-000000000001";

const policy = (...Statement) => ({ Version: "2012-10-17", Statement });
const allow = (Action, Resource, more = {}) => ({ Effect: "Allow", Action, Resource, ...more });
const deny = (Action, Resource, more = {}) => ({ Effect: "Deny", Action, Resource, ...more });
const all = policy(allow("*", "*"));
const request = (principal, action, resource, context = {}, account = "222222222222") => ({
  principal,
  action,
  resource,
  account,
  context,
});
const get = (context, account) => request(ROLE, "s3:GetObject", OBJECT, context, account);
const put = (principal, context) => request(principal, "s3:PutObject", OBJECT, context);

const anyone = { Principal: "*" };
const wall = policy(
  deny("s3:DeleteObject", OBJECT, {
    ...anyone,
    Condition: {
      BoolIfExists: { "aws:PrincipalIsAWSService": "false" },
      ArnNotLike: { "aws:PrincipalArn": ["arn:aws:iam::222222222222:role/break-glass"] },
    },
  }),
);
const remove = (principal) =>
  request(principal, "s3:DeleteObject", OBJECT, { "aws:PrincipalArn": principal, "aws:PrincipalIsAWSService": "false" });
const delivery = policy(
  allow("s3:PutObject", OBJECT, {
    Principal: { Service: "s3.amazonaws.com" },
    Condition: {
      ArnLike: { "aws:SourceArn": ["arn:aws:s3:::lake-*"] },
      StringEquals: { "aws:SourceAccount": ["111111111111"], "s3:x-amz-acl": "bucket-owner-full-control" },
    },
  }),
);
const delivered = { "aws:SourceArn": "arn:aws:s3:::lake-a", "aws:SourceAccount": "111111111111", "s3:x-amz-acl": "bucket-owner-full-control" };
const secure = policy(deny("s3:*", OBJECT, { ...anyone, Condition: { Bool: { "aws:SecureTransport": "false" } } }));
const own = policy(allow("s3:PutObject", OBJECT, { Condition: { StringEquals: { "aws:ResourceAccount": "222222222222" } } }));
const reader = policy(allow("s3:GetObject", OBJECT, { Principal: { AWS: ROLE } }));
const accountOnly = policy(allow("s3:GetObject", OBJECT, { Principal: { AWS: "arn:aws:iam::222222222222:root" } }));
const trust = policy({
  Effect: "Allow",
  Principal: { Service: "states.amazonaws.com" },
  Action: "sts:AssumeRole",
  Condition: { ArnLike: { "aws:SourceArn": "arn:aws:states:us-east-1:222222222222:*" } },
});
const assume = (service, arn) => request(service, "sts:AssumeRole", ROLE, { "aws:SourceArn": arn });
const keyOf = (...statements) =>
  policy({ Effect: "Allow", Principal: { AWS: "arn:aws:iam::111111111111:root" }, Action: "kms:*", Resource: "*" }, ...statements);
const decrypt = request(ROLE, "kms:Decrypt", KEY, {}, "111111111111");
const send = (principal) => request(principal, "sqs:SendMessage", QUEUE);

// name, expected, request, identity policy, resource policy
const CONTROLS = [
  ["an identity policy allows", true, get(), policy(allow("s3:GetObject", OBJECT))],
  ["nothing allows", false, get(), undefined],
  ["another action", false, get(), policy(allow("s3:PutObject", OBJECT))],
  ["another resource", false, get(), policy(allow("s3:GetObject", `${BUCKET}/other`))],
  ["wildcards of actions and resources", true, get(), policy(allow("s3:Get*", `${BUCKET}/?`))],
  ["a wildcard that does not reach", false, get(), policy(allow("s3:Get*", `${BUCKET}/??`))],
  ["NotAction leaves out", false, get(), policy({ Effect: "Allow", NotAction: "s3:GetObject", Resource: "*" })],
  ["NotAction takes the rest", true, get(), policy({ Effect: "Allow", NotAction: "s3:PutObject", Resource: "*" })],
  ["a deny wins", false, get(), policy(allow("*", "*"), deny("s3:GetObject", OBJECT))],
  ["a resource policy alone, within an account", true, get(), undefined, reader],
  ["a resource policy alone, across accounts", false, get({}, "111111111111"), undefined, reader],
  ["an identity policy alone, across accounts", false, get({}, "111111111111"), all],
  ["both, across accounts", true, get({}, "111111111111"), all, reader],
  ["both across accounts, by the account", true, get({}, "111111111111"), all, accountOnly],
  ["a resource policy for somebody else", false, request("arn:aws:iam::333333333333:role/r", "s3:GetObject", OBJECT), all, reader],
  ["the wall stops an administrator", false, remove("arn:aws:iam::222222222222:role/admin"), all, wall],
  ["the wall stops the root", false, remove("arn:aws:iam::222222222222:root"), all, wall],
  ["the wall lets break-glass through", true, remove("arn:aws:iam::222222222222:role/break-glass"), all, wall],
  ["a service with all conditions", true, put("s3.amazonaws.com", delivered), undefined, delivery],
  ["a service for another bucket", false, put("s3.amazonaws.com", { ...delivered, "aws:SourceArn": "arn:aws:s3:::sea" }), undefined, delivery],
  ["a service for another account", false, put("s3.amazonaws.com", { ...delivered, "aws:SourceAccount": "333333333333" }), undefined, delivery],
  ["a service that leaves the objects to itself", false, put("s3.amazonaws.com", { ...delivered, "s3:x-amz-acl": "private" }), undefined, delivery],
  ["a service without a source", false, put("s3.amazonaws.com", {}), undefined, delivery],
  ["another service", false, put("logging.s3.amazonaws.com", delivered), undefined, delivery],
  ["a role in a service's place", false, put(ROLE, delivered), undefined, delivery],
  ["TLS", true, get({ "aws:SecureTransport": "true" }), all, secure],
  ["no TLS", false, get({ "aws:SecureTransport": "false" }), all, secure],
  ["a bucket of the own account", true, put(ROLE, { "aws:ResourceAccount": "222222222222" }), own],
  ["a bucket of another account", false, put(ROLE, { "aws:ResourceAccount": "333333333333" }), own],
  ["a trusted service", true, assume("states.amazonaws.com", "arn:aws:states:us-east-1:222222222222:stateMachine:m"), undefined, trust],
  ["a trusted service for another account", false, assume("states.amazonaws.com", "arn:aws:states:us-east-1:333333333333:stateMachine:m"), undefined, trust],
  ["a service that is not trusted", false, assume("lambda.amazonaws.com", "arn:aws:states:us-east-1:222222222222:stateMachine:m"), undefined, trust],
  ["an administrator whom the role does not trust", false, request("arn:aws:iam::222222222222:role/admin", "sts:AssumeRole", ROLE), all, trust],
  ["a key of another account", false, decrypt, all, keyOf()],
  ["a key of another account with a grant", true, decrypt, all, keyOf({ Effect: "Allow", Principal: { AWS: ROLE }, Action: "kms:Decrypt", Resource: "*" })],
  ["a queue by identity", true, send(ROLE), policy(allow("sqs:SendMessage", QUEUE))],
  ["a queue of another account", false, send("arn:aws:iam::111111111111:root"), all],
  ["a role that may be passed", true, request(ROLE, "iam:PassRole", ROLE), policy(allow("iam:PassRole", ROLE))],
  ["a role that may not be passed", false, request(ROLE, "iam:PassRole", `${ROLE}2`), policy(allow("iam:PassRole", ROLE))],
  ["a bus in its two generations", true, request(ROLE, "events:PutEvents", "arn:aws:events:us-east-1:222222222222:event-bus/b"), policy(allow("events:PutEvents", "arn:aws:events:us-east-1:222222222222:event-bus/b"))],
  ["another bus", false, request(ROLE, "events:PutEvents", "arn:aws:events:us-east-1:222222222222:event-bus/c"), policy(allow("events:PutEvents", "arn:aws:events:us-east-1:222222222222:event-bus/b"))],
];

// The names of the controls that `simulator` fails, and how many there are.
export async function controls(simulator) {
  const failed = [];
  for (const [name, expected, asked, identity, resourcePolicy] of CONTROLS) {
    if ((await simulator(asked, identity, resourcePolicy)) !== expected) failed.push(`${name}: must be ${expected ? "allowed" : "denied"}`);
  }
  return { count: CONTROLS.length, failed };
}
