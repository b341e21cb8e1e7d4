"""Register, sign in, sign out."""

from typing import Any

from flask import g

from scheduling.context import caller_id, current_user, outbox, services, statement
from scheduling.errors import ApiError
from scheduling.http.blueprint import Blueprint
from scheduling.http.client_address import client_address
from scheduling.http.locations import created
from scheduling.identity.passwords import HashedPassword, require_acceptable
from scheduling.identity.tokens import issue_token
from scheduling.policies.access import authenticated, public
from scheduling.policies.declarations import refuses
from scheduling.policies.login_failures import count_failure, limited_by_failures, refuse_after_failures
from scheduling.policies.rate_limit import limited
from scheduling.schemas.auth import LoginIn, RegisterIn, SignedInOut, VerifiedOut
from scheduling.schemas.common import MessageOut
from sql.queries import Row, tokens, users

blueprint = Blueprint("auth", __name__, url_prefix="/auth", description="Register, sign in, sign out.")


@blueprint.post("/register")
@public
@limited("rate_limit_register")
@refuses("email_taken")
@blueprint.arguments(RegisterIn)
@blueprint.response(201, SignedInOut)
def register(person: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Create an account and sign in; a welcome e-mail follows."""
    require_acceptable(services().settings, person["password"], "/password", person["name"], person["email"])
    hashed = services().passwords.hash(person["password"])
    with statement() as tx:
        user = users.insert_user(
            tx,
            name=person["name"],
            email=person["email"],
            password_hash=hashed.text,
            password_scheme=hashed.scheme,
            origin=client_address(),
            request_id=g.request_id,
        )
        outbox.announce(tx, user["email_id"])
    return signed_in("User registered successfully", user), 201, created("/users/me")


@blueprint.post("/login")
@public
@limited_by_failures
@refuses("invalid_credentials")
@blueprint.arguments(LoginIn)
@blueprint.response(200, SignedInOut)
def login(credentials: dict[str, Any]) -> dict[str, Any]:
    """Sign in with e-mail and password."""
    refuse_after_failures(credentials["email"])
    with statement() as tx:
        user = users.select_credentials(tx, email=credentials["email"])
    known = user and HashedPassword(user["password_hash"], user["password_scheme"])
    if not services().passwords.verify(credentials["password"], known):
        count_failure(credentials["email"])
        raise ApiError(401, "invalid_credentials", "Invalid email or password", headers={"WWW-Authenticate": "Bearer"})
    # Checked again, because other attempts may have failed meanwhile: beyond the limit not even a right guess succeeds.
    refuse_after_failures(credentials["email"])
    return signed_in("Login successful", user)


@blueprint.post("/logout")
@authenticated
@blueprint.response(200, MessageOut)
def logout() -> dict[str, Any]:
    """Sign out. The client deletes its token; with LOGOUT_REVOKES the server revokes it as well."""
    if services().settings.logout_revokes:
        with statement() as tx:
            tokens.revoke_token(tx, token_id=g.token.token_id, user_id=caller_id(), expires_at=g.token.expires_at)
    return {"message": "Logged out successfully"}


@blueprint.post("/revoke")
@authenticated
@blueprint.response(200, MessageOut)
def revoke_tokens() -> dict[str, Any]:
    """Revoke every token of the caller, this one included, in every process at once."""
    with statement() as tx:
        tokens.revoke_all_tokens(tx, user_id=caller_id(), issued_at=g.token.issued_at)
    return {"message": "All tokens revoked; sign in again"}


@blueprint.get("/verify")
@authenticated
@blueprint.response(200, VerifiedOut)
def verify_token() -> dict[str, Any]:
    """Tell whether a token is valid, and whose it is."""
    return {"valid": True, "user": _identity(current_user())}


def signed_in(message: str, user: Row) -> dict[str, Any]:
    """Return the answer with a new token."""
    token = issue_token(user, issued_at=user["issued_at"], life_days=services().settings.jwt_expires_days)
    return {"message": message, "token": token, "user": _identity(user)}


def _identity(user: Row) -> dict[str, Any]:
    return {name: user[name] for name in ("id", "name", "email", "role")}
