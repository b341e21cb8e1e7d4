"""Read and change one's own profile; administrators list all users."""

from functools import partial
from typing import Any

from flask import Response, g

from scheduling.context import caller_id, current_user, outbox, reading, services, statement
from scheduling.errors import ApiError
from scheduling.http.blueprint import Blueprint
from scheduling.http.paging import page
from scheduling.identity.passwords import HashedPassword, require_acceptable
from scheduling.identity.tokens import issue_token, token_invalid
from scheduling.policies.access import admin_required, authenticated
from scheduling.policies.declarations import refuses
from scheduling.schemas.common import PageQuery
from scheduling.schemas.users import PasswordChangedOut, PasswordChangeIn, ProfileChangedOut, ProfileIn, UserOut
from sql.queries import users

blueprint = Blueprint("users", __name__, url_prefix="/users", description="Profiles.")


@blueprint.get("/me")
@authenticated
@blueprint.response(200, UserOut)
def read_profile() -> dict[str, Any]:
    """Return the caller's profile."""
    return current_user()


@blueprint.patch("/me")
@authenticated
@refuses("email_taken")
@blueprint.arguments(ProfileIn)
@blueprint.response(200, ProfileChangedOut)
def change_profile(changes: dict[str, Any]) -> dict[str, Any]:
    """Change the caller's name, address or both."""
    with statement() as tx:
        user = users.update_profile(
            tx,
            user_id=caller_id(),
            name=changes.get("name"),
            email=changes.get("email"),
            request_id=g.request_id,
        )
        if user is None:
            raise token_invalid()
        email_id = user.pop("email_id")
        if email_id is not None:
            outbox.announce(tx, email_id)
    return {"message": "Profile updated successfully", "user": user}


@blueprint.patch("/me/password")
@authenticated
@refuses("wrong_password")
@blueprint.arguments(PasswordChangeIn)
@blueprint.response(200, PasswordChangedOut)
def change_password(passwords: dict[str, Any]) -> dict[str, Any]:
    """Change the caller's password; all earlier tokens are revoked, and the answer has a new one."""
    known_of_owner = (current_user()["name"], current_user()["email"])
    require_acceptable(services().settings, passwords["new_password"], "/newPassword", *known_of_owner)
    with reading() as tx:
        row = users.select_password(tx, user_id=caller_id())
    known = row and HashedPassword(row["password_hash"], row["password_scheme"])
    if not services().passwords.verify(passwords["current_password"], known):
        raise _wrong_password()
    hashed = services().passwords.hash(passwords["new_password"])
    with statement() as tx:
        changed = users.update_password(
            tx,
            user_id=caller_id(),
            old_hash=row["password_hash"],
            new_hash=hashed.text,
            new_scheme=hashed.scheme,
            request_id=g.request_id,
        )
        if changed is None:
            raise _wrong_password()
        outbox.announce(tx, changed["email_id"])
    token = issue_token(current_user(), issued_at=changed["issued_at"], life_days=services().settings.jwt_expires_days)
    return {"message": "Password updated successfully", "token": token}


@blueprint.get("")
@authenticated
@blueprint.arguments(PageQuery, location="query")
@admin_required
@blueprint.response(200, UserOut(many=True))
def list_users(query: dict[str, Any]) -> Response:
    """List all users, newest first."""
    with reading() as tx:
        return page(query, partial(users.select_users, tx), key=("created_at", "id"))


def _wrong_password() -> ApiError:
    return ApiError(401, "wrong_password", "The current password is wrong", headers={"WWW-Authenticate": "Bearer"})
