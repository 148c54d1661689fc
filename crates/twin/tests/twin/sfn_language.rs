//! The language: choices, paths, data flow, and what is refused when a machine is created.

use rstest::rstest;
use serde_json::{Value, json};

use crate::twin::sfn_common::{ROLE, World, machine, task};

async fn holds(rule: Value, input: Value) -> bool {
    let mut rule = rule;
    rule["Next"] = json!("Yes");
    let states = json!({
        "Choose": { "Type": "Choice", "Choices": [rule], "Default": "No" },
        "Yes": { "Type": "Pass", "Result": true, "End": true },
        "No": { "Type": "Pass", "Result": false, "End": true },
    });
    let end = World::new().run(&machine("Choose", states), &input).await;
    assert_eq!(end["status"], "SUCCEEDED", "{end}");
    end["output"] == "true"
}

#[rstest]
#[case(json!({ "StringMatches": "log-*.txt" }), json!("log-a.txt"), true)]
#[case(json!({ "StringMatches": "log-*.txt" }), json!("log-.txt.gz"), false)]
#[case(json!({ "StringMatches": "*" }), json!(""), true)]
#[case(json!({ "StringMatches": "a*b*c" }), json!("a-b-b-c"), true)]
#[case(json!({ "StringMatches": "a*b*c" }), json!("a-c-b"), false)]
#[case(json!({ "StringMatches": "a\\*c" }), json!("abc"), false)]
#[case(json!({ "StringMatches": "a\\*c" }), json!("a*c"), true)]
#[case(json!({ "StringMatches": "a" }), json!(1), false)]
#[case(json!({ "StringGreaterThan": "a" }), json!("b"), true)]
#[case(json!({ "StringGreaterThanEquals": "a" }), json!("a"), true)]
#[case(json!({ "StringLessThanEquals": "a" }), json!("b"), false)]
#[case(json!({ "NumericGreaterThanEquals": 2 }), json!(2.0), true)]
#[case(json!({ "NumericLessThanEquals": 2 }), json!("2"), false)]
#[case(json!({ "TimestampLessThan": "2026-01-01T00:00:00Z" }), json!("2026-01-01T00:59:59+01:00"), true)]
#[case(json!({ "TimestampGreaterThanEquals": "2026-01-01T00:00:00Z" }), json!("2026-01-01T01:00:00+01:00"), true)]
#[case(json!({ "TimestampLessThanEquals": "2026-01-01T00:00:00Z" }), json!("2026-01-01"), false)]
#[case(json!({ "IsTimestamp": true }), json!("2026-01-01T00:00:00.123Z"), true)]
#[case(json!({ "IsTimestamp": true }), json!("2026-01-01 00:00:00Z"), false)]
#[case(json!({ "IsTimestamp": true }), json!("2026-01-01T00:00:00"), false)]
#[case(json!({ "IsNull": true }), json!(null), true)]
#[case(json!({ "IsNull": false }), json!(0), true)]
#[case(json!({ "IsNumeric": true }), json!(1.5), true)]
#[case(json!({ "IsString": true }), json!("a"), true)]
#[case(json!({ "IsString": false }), json!("a"), false)]
#[case(json!({ "IsPresent": true }), json!(null), true)]
#[tokio::test(start_paused = true)]
async fn a_comparison_holds_or_not(#[case] comparison: Value, #[case] value: Value, #[case] expected: bool) {
    let mut rule = comparison;
    rule["Variable"] = json!("$.value");
    assert_eq!(holds(rule, json!({ "value": value })).await, expected);
}

#[rstest]
#[case(json!({ "Variable": "$.gone", "IsPresent": false }), true)]
#[case(json!({ "Variable": "$.gone", "IsPresent": true }), false)]
#[case(json!({ "Not": { "Variable": "$.a", "NumericEquals": 1 } }), false)]
#[case(json!({ "And": [{ "Variable": "$.a", "NumericEquals": 1 }, { "Variable": "$.b", "StringEquals": "x" }] }), true)]
#[case(json!({ "And": [{ "Variable": "$.gone", "IsPresent": true }, { "Variable": "$.gone", "NumericEquals": 1 }] }), false)]
#[case(json!({ "Or": [{ "Variable": "$.a", "NumericEquals": 2 }, { "Not": { "Variable": "$.b", "IsNull": true } }] }), true)]
#[case(json!({ "Variable": "$.a", "NumericLessThanPath": "$.c" }), true)]
#[case(json!({ "Variable": "$.b", "StringGreaterThanEqualsPath": "$.b" }), true)]
#[tokio::test(start_paused = true)]
async fn rules_are_put_together(#[case] rule: Value, #[case] expected: bool) {
    assert_eq!(holds(rule, json!({ "a": 1, "b": "x", "c": 3 })).await, expected);
}

#[rstest]
#[case::no_rule_and_no_default(json!({ "Variable": "$.a", "NumericEquals": 2 }), "States.NoChoiceMatched")]
#[case::a_variable_that_is_not_there(json!({ "Variable": "$.gone", "NumericEquals": 2 }), "States.Runtime")]
#[tokio::test(start_paused = true)]
async fn a_choice_that_leads_nowhere_fails(#[case] rule: Value, #[case] error: &str) {
    let mut rule = rule;
    rule["Next"] = json!("Choose");
    let states = json!({ "Choose": { "Type": "Choice", "Choices": [rule] } });
    let end = World::new().run(&machine("Choose", states), &json!({ "a": 1 })).await;
    assert_eq!((&end["status"], &end["error"]), (&json!("FAILED"), &json!(error)));
}

/// The value of a path or function over a fixed document.
async fn value(expression: &str) -> Value {
    let document = json!({
        "items": [{ "n": 1, "k": "a" }, { "n": 2, "k": "b" }, { "n": 3, "k": "a", "deep": { "n": 9 } }],
        "names": ["x", "y", "z"], "dotted.key": 5, "text": "{\"a\":[1]}",
    });
    let states = json!({ "P": { "Type": "Pass", "Parameters": { "v.$": expression }, "End": true } });
    let end = World::new().run(&machine("P", states), &document).await;
    match end["output"].as_str() {
        Some(output) => serde_json::from_str::<Value>(output).unwrap()["v"].clone(),
        None => end["error"].clone(),
    }
}

#[rstest]
#[case("$.items[0].n", json!(1))]
#[case("$.items[-1].n", json!(3))]
#[case("$['dotted.key']", json!(5))]
#[case("$.names[0:2]", json!(["x", "y"]))]
#[case("$.names[-2:]", json!(["y", "z"]))]
#[case("$.names[::2]", json!(["x", "z"]))]
#[case("$.names[0,2]", json!(["x", "z"]))]
#[case("$.items[*].n", json!([1, 2, 3]))]
#[case("$..n", json!([1, 2, 3, 9]))]
#[case("$.items[?(@.k == 'a')].n", json!([1, 3]))]
#[case("$.items[?(@.n >= 2 && @.k != 'b')].n", json!([3]))]
#[case("$.items[?(@.deep)].n", json!([3]))]
#[case("$.items[?(@.n > 7)]", json!([]))]
#[case("$.gone", json!("States.Runtime"))]
#[case("$.names[7]", json!("States.Runtime"))]
#[case("$$.Execution.RedriveCount", json!(0))]
#[case("States.Format('a\\'{}\\{\\}', $.names[0])", json!("a'x{}"))]
#[case("States.JsonToString($.items[0])", json!("{\"n\":1,\"k\":\"a\"}"))]
#[case("States.StringToJson($.text)", json!({ "a": [1] }))]
#[case("States.Array(1, 'a', null, true, $.names[0], States.Array())", json!([1, "a", null, true, "x", []]))]
#[case("States.ArrayUnique(States.Array(1, 1, 2))", json!([1, 2]))]
#[case("States.ArrayLength($.items[*].n)", json!(3))]
#[case("States.JsonMerge($.items[0], $.items[1], false)", json!({ "n": 2, "k": "b" }))]
#[case("States.MathRandom(5, 6)", json!(5))]
#[case("States.ArrayRange(9, 1, -4)", json!([9, 5, 1]))]
#[case("States.ArrayGetItem($.names, 9)", json!("States.IntrinsicFailure"))]
#[case("States.StringToJson('{')", json!("InvalidDefinition"))]
#[tokio::test(start_paused = true)]
async fn expressions_have_values(#[case] expression: &str, #[case] expected: Value) {
    if expected == "InvalidDefinition" {
        let states = json!({ "P": { "Type": "Pass", "Parameters": { "v.$": "States.Nothing()" }, "End": true } });
        assert!(refusal(machine("P", states)).await.contains("States.Nothing"));
        return;
    }
    assert_eq!(value(expression).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_result_goes_through_selector_and_paths() {
    let world = World::new();
    let state = task(json!({
        "InputPath": "$.job", "ResultSelector": { "id.$": "$.JobId", "fixed": 1 }, "ResultPath": "$.a.b",
        "OutputPath": "$.a", "End": true,
    }));
    let arn =
        world.start(&machine("Work", json!({ "Work": state })), &json!({ "job": { "x": 1 }, "a": { "c": 2 } })).await;
    let message = world.outside.receive().await;
    assert_eq!(message["input"], json!({ "x": 1 }));
    world.succeed(message["token"].as_str().unwrap(), json!({ "JobId": "j", "Other": 2 })).await;
    assert_eq!(world.end(&arn).await["output"], json!({ "c": 2, "b": { "id": "j", "fixed": 1 } }).to_string());
}

#[tokio::test(start_paused = true)]
async fn a_result_that_cannot_be_placed_fails_and_can_be_caught_by_name() {
    let state = json!({ "Type": "Pass", "Result": 1, "ResultPath": "$.a.b", "End": true });
    let inner = json!({ "StartAt": "Put", "States": { "Put": state } });
    let catch = json!([{ "ErrorEquals": ["States.ResultPathMatchFailure"], "Next": "Caught" }]);
    let states = json!({
        "All": { "Type": "Parallel", "Branches": [inner], "Catch": catch, "End": true },
        "Caught": { "Type": "Pass", "Result": "caught", "End": true },
    });
    let end = World::new().run(&machine("All", states), &json!({ "a": 5 })).await;
    assert_eq!(end["output"], "\"caught\"");
}

#[rstest]
#[case(0, 4)]
#[case(1, 1)]
#[case(3, 3)]
#[tokio::test(start_paused = true)]
async fn a_map_runs_no_more_iterations_at_a_time_than_it_may(#[case] limit: u64, #[case] expected: usize) {
    let world = World::new();
    let work = json!({ "StartAt": "Work", "States": { "Work": task(json!({ "End": true })) } });
    let state = json!({ "Type": "Map", "MaxConcurrency": limit, "ItemProcessor": work, "End": true });
    world.start(&machine("Each", json!({ "Each": state })), &json!([1, 2, 3, 4])).await;
    world.clock.sleep(std::time::Duration::from_secs(1)).await;
    let waiting = std::iter::from_fn(|| world.outside.pop()).count();
    assert_eq!(waiting, expected);
}

async fn refusal(definition: Value) -> String {
    let request = json!({ "name": "m", "roleArn": ROLE, "definition": definition.to_string() });
    let error = World::new().call("CreateStateMachine", request).await.expect_err("refused");
    assert_eq!(error.code, "InvalidDefinition");
    error.message
}

fn with(state: Value) -> Value {
    machine("S", json!({ "S": state }))
}

#[rstest]
#[case::jsonata(with(json!({ "Type": "Pass", "QueryLanguage": "JSONata", "End": true })), "state 'S': the twin models JSONPath only")]
#[case::variables(with(json!({ "Type": "Pass", "Assign": {}, "End": true })), "state 'S': variables are not modelled")]
#[case::lambda(with(json!({ "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true })), "state 'S': this resource is not modelled")]
#[case::sync(with(json!({ "Type": "Task", "Resource": "arn:aws:states:::batch:submitJob.sync", "End": true })), "batch:submitJob.sync")]
#[case::activity(with(json!({ "Type": "Task", "Resource": "arn:aws:states:us-east-1:222222222222:activity:a", "End": true })), "activities are not modelled")]
#[case::distributed(with(json!({ "Type": "Map", "End": true, "ItemProcessor": { "ProcessorConfig": { "Mode": "DISTRIBUTED" } } })), "state 'S': distributed Map is not modelled")]
#[case::unknown_field(with(json!({ "Type": "Pass", "Ned": 1, "End": true })), "/States/S/Ned")]
#[case::unknown_type(with(json!({ "Type": "Loop", "End": true })), "'Loop' is not a type of state")]
#[case::no_way_on(with(json!({ "Type": "Pass" })), "exactly one of Next and End")]
#[case::missing_target(with(json!({ "Type": "Pass", "Next": "T" })), "Missing 'Next' target: T at /States/S/Next")]
#[case::missing_start(machine("T", json!({ "S": { "Type": "Succeed" } })), "Missing 'StartAt' target: T")]
#[case::bad_path(with(json!({ "Type": "Pass", "InputPath": "a", "End": true })), "Value is not a valid JSONPath")]
#[case::bad_reference(with(json!({ "Type": "Pass", "ResultPath": "$.a[*]", "End": true })), "Value is not a Reference Path")]
#[case::bad_function(with(json!({ "Type": "Pass", "Parameters": { "a.$": "States.Nope(1)" }, "End": true })), "States.Nope")]
#[case::bad_comparison(with(json!({ "Type": "Choice", "Choices": [{ "Variable": "$.a", "NumericIs": 1, "Next": "S" }] })), "'NumericIs' is not a comparison")]
#[case::wildcard_not_last(with(task(json!({ "End": true, "Retry": [{ "ErrorEquals": ["States.ALL"] }, { "ErrorEquals": ["A"] }] }))), "must appear alone and in the last element")]
#[case::heartbeat_too_long(with(task(json!({ "End": true, "TimeoutSeconds": 5, "HeartbeatSeconds": 5 }))), "HeartbeatSeconds must be smaller")]
#[tokio::test(start_paused = true)]
async fn what_is_wrong_or_not_modelled_is_refused_with_place_and_reason(
    #[case] definition: Value,
    #[case] expected: &str,
) {
    let message = refusal(definition).await;
    assert!(message.contains(expected), "{message}");
}

#[tokio::test(start_paused = true)]
async fn express_workflows_are_refused() {
    let definition = with(json!({ "Type": "Succeed" })).to_string();
    let request = json!({ "name": "m", "roleArn": ROLE, "definition": definition, "type": "EXPRESS" });
    assert_eq!(World::new().code("CreateStateMachine", request).await, "NotImplemented");
}

#[rstest]
#[case::too_long("x".repeat(81), "ValidationException")]
#[case::a_space("a b".into(), "InvalidName")]
#[case::a_colon("a:b".into(), "InvalidName")]
#[tokio::test(start_paused = true)]
async fn bad_execution_names_are_refused(#[case] name: String, #[case] code: &str) {
    let world = World::new();
    world.run(&with(json!({ "Type": "Succeed" })), &json!({})).await;
    let arn = "arn:aws:states:us-east-1:222222222222:stateMachine:m";
    assert_eq!(world.code("StartExecution", json!({ "stateMachineArn": arn, "name": name })).await, code);
}

#[tokio::test(start_paused = true)]
async fn a_closed_executions_name_is_not_used_again() {
    let world = World::new();
    world.run(&with(json!({ "Type": "Succeed" })), &json!({})).await;
    let arn = "arn:aws:states:us-east-1:222222222222:stateMachine:m";
    let again = json!({ "stateMachineArn": arn, "name": "e", "input": "{}" });
    assert_eq!(world.code("StartExecution", again).await, "ExecutionAlreadyExists");
}

#[tokio::test(start_paused = true)]
async fn histories_come_in_pages_and_in_reverse() {
    let world = World::new();
    let end = world.run(&with(json!({ "Type": "Pass", "End": true })), &json!({})).await;
    let arn = &end["executionArn"];
    let first = world.ok("GetExecutionHistory", json!({ "executionArn": arn, "maxResults": 3 })).await;
    assert_eq!(first["events"].as_array().unwrap().len(), 3);
    let token = &first["nextToken"];
    let rest =
        world.ok("GetExecutionHistory", json!({ "executionArn": arn, "maxResults": 3, "nextToken": token })).await;
    assert_eq!((rest["events"][0]["id"].clone(), rest.get("nextToken")), (json!(4), None));
    let reverse = world.ok("GetExecutionHistory", json!({ "executionArn": arn, "reverseOrder": true })).await;
    assert_eq!(reverse["events"][0]["type"], "ExecutionSucceeded");
}
