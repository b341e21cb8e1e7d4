"""Read notifications, mark them, delete them."""

from functools import partial
from typing import Any

from flask import Response

from scheduling.context import caller_id, reading, statement
from scheduling.errors import not_found
from scheduling.http.blueprint import Blueprint
from scheduling.http.paging import page
from scheduling.policies.access import authenticated
from scheduling.policies.declarations import refuses
from scheduling.schemas.common import MessageOut, PageQuery
from scheduling.schemas.notifications import AllReadOut, NotificationOut, NotificationReadOut, UnreadCountOut
from sql.queries import notifications

blueprint = Blueprint("notifications", __name__, url_prefix="/notifications", description="What one was told.")


@blueprint.get("")
@authenticated
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, NotificationOut(many=True))
def list_notifications(query: dict[str, Any]) -> Response:
    """List the caller's notifications, unread first, then newest."""
    with reading() as tx:
        return page(
            query,
            partial(notifications.select_notifications, tx),
            key=("is_read", "created_at", "id"),
            user_id=caller_id(),
        )


@blueprint.get("/unread")
@authenticated
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, NotificationOut(many=True))
def list_unread_notifications(query: dict[str, Any]) -> Response:
    """List the caller's unread notifications, newest first."""
    with reading() as tx:
        return page(
            query,
            partial(notifications.select_unread_notifications, tx),
            key=("created_at", "id"),
            user_id=caller_id(),
        )


@blueprint.get("/count")
@authenticated
@blueprint.response(200, UnreadCountOut)
def count_unread_notifications() -> dict[str, Any]:
    """Count the caller's unread notifications."""
    with reading() as tx:
        return {"unread": notifications.count_unread_notifications(tx, user_id=caller_id())}


@blueprint.patch("/read-all")
@authenticated
@blueprint.response(200, AllReadOut)
def mark_all_notifications_read() -> dict[str, Any]:
    """Mark all of the caller's notifications as read."""
    with statement() as tx:
        updated = notifications.read_all_notifications(tx, user_id=caller_id())
    return {"message": "All notifications marked as read", "updated": updated}


@blueprint.patch("/<id:notification_id>/read")
@authenticated
@refuses("not_found")
@blueprint.response(200, NotificationReadOut)
def mark_notification_read(notification_id: int) -> dict[str, Any]:
    """Mark one notification as read."""
    with statement() as tx:
        notification = notifications.read_notification(tx, notification_id=notification_id, user_id=caller_id())
    if notification is None:
        raise not_found("Notification")
    return {"message": "Notification marked as read", "notification": notification}


@blueprint.delete("/<id:notification_id>")
@authenticated
@refuses("not_found")
@blueprint.response(200, MessageOut)
def delete_notification(notification_id: int) -> dict[str, Any]:
    """Delete one notification."""
    with statement() as tx:
        deleted = notifications.delete_notification(tx, notification_id=notification_id, user_id=caller_id())
    if not deleted:
        raise not_found("Notification")
    return {"message": "Notification deleted"}
