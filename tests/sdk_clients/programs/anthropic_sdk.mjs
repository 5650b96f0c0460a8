// A program on the Anthropic SDK for TypeScript, as its users write them. Says what came back, as one JSON object.
// node anthropic_sdk.mjs BASE_URL MODEL

import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";

const [baseURL, model] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey: "any", maxRetries: 0 });
const asks = (content) => ({ model, max_tokens: 500, messages: [{ role: "user", content }] });
const textOf = (message) => message.content.map((block) => block.text ?? "").join("");
const told = {};

told.whole = textOf(await client.messages.create(asks("Hello there!")));

const stream = client.messages.stream(asks("Hello there!"));
told.streamed = "";
stream.on("text", (text) => (told.streamed += text));
told.final = textOf(await stream.finalMessage());

told.events = [];
for await (const event of await client.messages.create({ ...asks("Hello there!"), stream: true })) {
  told.events.push(event.type);
}

const add = betaTool({
  name: "add",
  description: "Adds two numbers.",
  inputSchema: {
    type: "object",
    properties: { a: { type: "integer" }, b: { type: "integer" } },
    required: ["a", "b"],
  },
  run: ({ a, b }) => `the sum is ${a + b}`,
});
const request = { ...asks('use add with `{"a": 2, "b": 40}`'), tools: [add] };
const calling = await client.beta.messages.create(request);
told.call = calling.content.find((block) => block.type === "tool_use");
told.stopped = calling.stop_reason;
told.ran = textOf(await client.beta.messages.toolRunner(request));

const form = jsonSchemaOutputFormat({
  type: "object",
  properties: { title: { type: "string" }, pages: { type: "array", items: { type: "integer" } } },
  required: ["title", "pages"],
  additionalProperties: false,
});
const filled = await client.messages.parse({ ...asks("Which book?"), output_config: { format: form } });
told.form = filled.parsed_output;

told.counted = (await client.messages.countTokens({ model, messages: asks("Hello there!").messages })).input_tokens;

told.models = [];
for await (const listed of client.models.list()) told.models.push(listed.display_name);
told.refused = await client.models.retrieve("no-such-model").catch((error) => [error.constructor.name, error.status]);

console.log(JSON.stringify(told));
