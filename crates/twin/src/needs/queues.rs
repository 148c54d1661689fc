//! SQS. Sources: "Actions, resources, and condition keys for Amazon SQS" of the Service Authorization Reference
//! (`list_amazonsqs`); "Amazon SQS API permissions: Actions and resource reference" of the developer guide
//! (`sqs-api-permissions-reference`) for batches and message moves; the API reference of `CreateQueue` for its tags.

use serde_json::Value;

use super::{Need, has_some, text};

/// What a call that acts on `queue` needs; nothing is known of operations that the twin does not model.
pub(crate) fn needs(operation: &str, queue: &str, body: &Value) -> Vec<Need> {
    let of_queue = |action| vec![Need::new(action, queue)];
    let moving = |action| {
        ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"].into_iter().fold(
            of_queue(action),
            |mut needs, more| {
                needs.push(Need::new(more, queue));
                needs
            },
        )
    };
    match operation {
        "ListQueues" => vec![Need::any("sqs:ListQueues")],
        "CreateQueue" => {
            let mut needs = of_queue("sqs:CreateQueue");
            needs.extend(has_some(body, "tags").then(|| Need::new("sqs:TagQueue", queue)));
            needs
        }
        "DeleteQueue" => of_queue("sqs:DeleteQueue"),
        "GetQueueAttributes" => of_queue("sqs:GetQueueAttributes"),
        "GetQueueUrl" => of_queue("sqs:GetQueueUrl"),
        "ListDeadLetterSourceQueues" => of_queue("sqs:ListDeadLetterSourceQueues"),
        "ListQueueTags" => of_queue("sqs:ListQueueTags"),
        "PurgeQueue" => of_queue("sqs:PurgeQueue"),
        "SetQueueAttributes" => of_queue("sqs:SetQueueAttributes"),
        "TagQueue" => of_queue("sqs:TagQueue"),
        "UntagQueue" => of_queue("sqs:UntagQueue"),
        "SendMessage" | "SendMessageBatch" => of_queue("sqs:SendMessage"),
        "ReceiveMessage" => of_queue("sqs:ReceiveMessage"),
        "DeleteMessage" | "DeleteMessageBatch" => of_queue("sqs:DeleteMessage"),
        "ChangeMessageVisibility" | "ChangeMessageVisibilityBatch" => of_queue("sqs:ChangeMessageVisibility"),
        "StartMessageMoveTask" => {
            let mut needs = moving("sqs:StartMessageMoveTask");
            // Without a destination the messages go back to the queues that they came from, which the call does not name.
            needs.push(Need::new("sqs:SendMessage", text(body, "DestinationArn").unwrap_or("*")));
            needs
        }
        "ListMessageMoveTasks" => moving("sqs:ListMessageMoveTasks"),
        // The handle does not tell the queue.
        "CancelMessageMoveTask" => {
            ["sqs:CancelMessageMoveTask", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
                .map(Need::any)
                .to_vec()
        }
        _ => Vec::new(),
    }
}
