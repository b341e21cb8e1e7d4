// Register, book, page through the diary, meet a conflict, and book Ada as her guest. The address of the API is the argument.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./generated/api.js";

const baseUrl = process.argv[2] ?? "http://localhost:3000";
const guest = createClient<paths>({ baseUrl });
const now = Date.now();
const email = `ada${now}@example.com`;
const registered = await guest.POST("/api/v1/auth/register", { body: { name: "Ada", email, password: "correct horse" } });
assert(registered.data, registered.error?.detail);
const ada = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${registered.data.token}` } });

const hours = (later: number) => new Date(now + 36e5 * later).toISOString();
const book = (hour: number) =>
  ada.POST("/api/v1/bookings", { body: { title: "Talk", start: hours(hour), end: hours(hour + 1), exclusive: true } });
for (const hour of [500, 501, 502]) {
  const { data, error, response } = await book(hour);
  assert(data, error?.detail);
  assert.equal(response.headers.get("Location"), `/api/v1/bookings/${data.booking.id}`);
}
const taken = await book(501);
assert.equal(taken.error?.code, "booking_conflict");
assert.equal(taken.error.conflicts?.length, 1);

const pages: number[] = [];
for (let cursor: string | undefined, more = true; more; ) {
  const { data, error, response } = await ada.GET("/api/v1/bookings", { params: { query: { limit: 2, cursor } } });
  pages.push(data?.length ?? assert.fail(error?.detail));
  const next = /<([^>]+)>; rel="next"/.exec(response.headers.get("Link") ?? "")?.[1];
  cursor = next && (new URL(next, baseUrl).searchParams.get("cursor") ?? undefined);
  more = cursor !== undefined;
}
assert.deepEqual(pages, [2, 1]);

const offered = await ada.POST("/api/v1/event-types", { body: { title: "Half an hour with Ada", duration_minutes: 30 } });
const path = { event_type_uid: offered.data?.event_type.uid ?? assert.fail(offered.error?.detail) };
const slots = await guest.GET("/api/v1/event-types/{event_type_uid}/slots", {
  params: { path, query: { from: hours(24), to: hours(192), time_zone: "America/New_York" } },
});
const start = slots.data?.days[0]?.slots[0]?.start ?? assert.fail(slots.error?.detail ?? "nothing is free");
const made = await guest.POST("/api/v1/event-types/{event_type_uid}/bookings", {
  params: { path },
  body: { start, name: "Gail", email: "gail@example.com", time_zone: "America/New_York" },
});
assert(made.data, made.error?.detail);
console.log(made.data.message, made.data.booking.start_time, made.data.manage_token);
