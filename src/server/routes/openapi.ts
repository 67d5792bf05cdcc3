// GET /openapi.json: every route as OpenAPI 3.1, whose schemas are JSON Schema, which zod writes.

import { z } from "zod";
import { VERSION } from "../../version.ts";
import type { AddedRoute, ServerApp } from "../app.ts";
import { NAMED_SCHEMAS } from "../schemas.ts";

export function addOpenApiRoute(app: ServerApp): void {
  let document: object | undefined;
  app.get({ path: "/openapi.json", summary: "This description", answers: z.looseObject({}) }, () => {
    document ??= describeRoutes(app.routes);
    return document;
  });
}

function describeRoutes(routes: readonly AddedRoute[]): object {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(NAMED_SCHEMAS)) registry.add(schema, { id });
  const reference = (schema: z.ZodType, id: string) => {
    if (!registry.has(schema)) registry.add(schema, { id });
    return { schema: { $ref: `${PLACE}${registry.get(schema)!.id}` } };
  };
  const paths: Record<string, Record<string, object>> = {};
  for (const { path, method, summary, description, body, answers, open } of routes) {
    const name = nameOf(path);
    const content =
      typeof answers === "string"
        ? { [answers.split(";")[0]!]: { schema: { type: "string" } } }
        : { "application/json": reference(answers, `${name}Response`) };
    const operation = {
      summary,
      ...(description === undefined ? {} : { description }),
      ...(body
        ? {
            requestBody: {
              required: true,
              content: { "application/json": reference(body, `${name}Request`) },
            },
          }
        : {}),
      responses: {
        200: { description: "Done", content },
        default: {
          description: "An error",
          content: { "application/json": { schema: { $ref: `${PLACE}Error` } } },
        },
      },
      security: open ? [] : [{}, { key: [] }],
    };
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation };
  }
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `${PLACE}${id}`, io: "input" });
  const plain = Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]);
  return {
    openapi: "3.1.0",
    info: { title: "armorm", version: VERSION, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    paths,
    components: {
      schemas: Object.fromEntries(plain),
      securitySchemes: { key: { type: "http", scheme: "bearer" } },
    },
  };
}

const PLACE = "#/components/schemas/";

/** `/v1/score/evaluation` → `V1ScoreEvaluation` */
const nameOf = (path: string): string =>
  path
    .split(/[^a-z0-9]+/i)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
