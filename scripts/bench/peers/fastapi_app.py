"""The same service in FastAPI: asyncpg, PyJWT, pydantic for what comes in, orjson for what goes out, arq for mails."""

# mypy: disable-error-code="import-not-found"

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import asyncpg
import bcrypt
import jwt
import orjson
from arq import create_pool
from arq.connections import RedisSettings
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

SECRET = os.environ["JWT_SECRET"]
BOOK = """
    WITH booking AS (
        INSERT INTO bookings (user_id, title, start_time, end_time) VALUES ($1, $2, $3, $4)
        RETURNING id, user_id, title, start_time, end_time, status, created_at, updated_at
    ), notification AS (
        INSERT INTO notifications (user_id, type, title, message, metadata)
        SELECT user_id, 'BOOKING_CONFIRMED', 'Booking Confirmed',
               'Your booking "' || title || '" has been confirmed.', jsonb_build_object('booking_id', id)
        FROM booking
    )
    SELECT id, user_id, title, start_time, end_time, status, created_at, updated_at FROM booking"""
LIST = """
    SELECT id, user_id, title, start_time, end_time, status, created_at, updated_at
    FROM bookings WHERE user_id = $1 ORDER BY start_time DESC, id DESC LIMIT $2"""
READ = """
    SELECT id, user_id, title, start_time, end_time, status, created_at, updated_at
    FROM bookings WHERE id = $1 AND user_id = $2"""
COUNT = "SELECT count(*) FROM notifications WHERE user_id = $1 AND NOT is_read"
LOG = "INSERT INTO analytics_events (user_id, event_type, metadata) VALUES ($1, $2, $3) RETURNING id, event_type"
DASHBOARD = """
    SELECT event_type, count(*) AS count, count(DISTINCT user_id) AS unique_users,
           min(created_at) AS first_event, max(created_at) AS last_event
    FROM analytics_events WHERE created_at >= now() - make_interval(days => $1)
    GROUP BY GROUPING SETS ((event_type), ()) ORDER BY grouping(event_type) DESC, count DESC"""
FIND_USER = "SELECT id, name, email, role, password_hash FROM users WHERE email = $1"


class BookingIn(BaseModel):
    """A time to book."""

    title: str = Field(min_length=1, max_length=255)
    start: AwareDatetime
    end: AwareDatetime


class EventIn(BaseModel):
    """Something that happened."""

    event_type: str = Field(alias="eventType", min_length=1, max_length=100)
    metadata: dict[str, Any] = {}


class CredentialsIn(BaseModel):
    """Who wants to sign in."""

    email: str
    password: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect to PostgreSQL and Redis."""
    app.state.jobs = await create_pool(RedisSettings.from_dsn(os.environ["REDIS_URL"]))
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10) as app.state.database:
        yield
    await app.state.jobs.aclose()


async def read_user(authorization: Annotated[str, Header()] = "") -> dict[str, Any]:
    """Return what the token says."""
    try:
        claims: dict[str, Any] = jwt.decode(authorization.removeprefix("Bearer "), SECRET, algorithms=["HS256"])
    except jwt.PyJWTError:
        raise HTTPException(401, "Invalid or missing token") from None
    return claims


async def read_optional_user(authorization: Annotated[str, Header()] = "") -> dict[str, Any] | None:
    """Return what the token says if there is one."""
    return await read_user(authorization) if authorization else None


User = Annotated[dict[str, Any], Depends(read_user)]
OptionalUser = Annotated[dict[str, Any] | None, Depends(read_optional_user)]
app = FastAPI(lifespan=lifespan)


def to_json(content: Any, status: int = 200) -> Response:
    """Return an answer that orjson has written."""
    return Response(orjson.dumps(content), status, media_type="application/json")


@app.get("/health")
async def health() -> Response:
    """Say that the process is there."""
    return to_json({"status": "OK"})


@app.post("/api/v1/bookings")
async def create_booking(request: Request, user: User, slot: BookingIn) -> Response:
    """Book a time."""
    if slot.start < datetime.now(UTC) or slot.end <= slot.start:
        raise HTTPException(400, "The times must be in the future and in order")
    state = request.app.state
    booking = dict(await state.database.fetchrow(BOOK, user["id"], slot.title, slot.start, slot.end))
    await state.jobs.enqueue_job("deliver", user["email"], "BOOKING_CONFIRMATION", booking)
    return to_json({"message": "Booking created successfully", "booking": booking}, 201)


@app.get("/api/v1/bookings")
async def list_bookings(request: Request, user: User, limit: int = 100) -> Response:
    """List bookings, latest first."""
    return to_json([dict(row) for row in await request.app.state.database.fetch(LIST, user["id"], limit)])


@app.get("/api/v1/bookings/{booking_id}")
async def read_booking(request: Request, user: User, booking_id: int) -> Response:
    """Return one booking."""
    row = await request.app.state.database.fetchrow(READ, booking_id, user["id"])
    if row is None:
        raise HTTPException(404, "Booking not found")
    return to_json(dict(row))


@app.get("/api/v1/notifications/count")
async def count_notifications(request: Request, user: User) -> Response:
    """Count what was not read."""
    return to_json({"unread": await request.app.state.database.fetchval(COUNT, user["id"])})


@app.post("/api/v1/analytics/event")
async def log_event(request: Request, user: OptionalUser, event: EventIn) -> Response:
    """Log an event."""
    values = (user and user["id"], event.event_type, orjson.dumps(event.metadata).decode())
    row = await request.app.state.database.fetchrow(LOG, *values)
    return to_json({"message": "Event logged successfully", "event": dict(row)}, 201)


@app.get("/api/v1/analytics/dashboard")
async def read_dashboard(request: Request, _: User, days: int = 30) -> Response:
    """Return the statistics of the last days."""
    total, *breakdown = map(dict, await request.app.state.database.fetch(DASHBOARD, days))
    overview = {
        "total_events": total["count"],
        "unique_users": total["unique_users"],
        "event_types": len(breakdown),
    }
    return to_json({"period": f"Last {days} days", "overview": overview, "breakdown": breakdown})


@app.post("/api/v1/auth/login")
async def sign_in(request: Request, credentials: CredentialsIn) -> Response:
    """Return a token."""
    user = await request.app.state.database.fetchrow(FIND_USER, credentials.email)
    matches = user and await asyncio.to_thread(
        bcrypt.checkpw, credentials.password.encode(), user["password_hash"].encode()
    )
    if not matches:
        raise HTTPException(401, "Invalid credentials")
    profile = {name: user[name] for name in ("id", "name", "email", "role")}
    claims = {**profile, "exp": datetime.now(UTC) + timedelta(days=7)}
    return to_json({"message": "Login successful", "token": jwt.encode(claims, SECRET), "user": profile})
