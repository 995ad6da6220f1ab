"""Mutants of permissions, rights, the audit, and what customers see; see tests/mutants.py."""

from tests.mutant import Mutant

RIGHTS = "tests/users/test_rights.py"
RECORDING = "tests/audit/test_recording.py"
RECORDING_RIGHTS = "tests/audit/test_recording_rights.py"
APPEND_ONLY = "tests/audit/test_append_only.py"

RIGHTS_MUTANTS: list[Mutant] = [
    Mutant(
        name="rights: the permission that the API asks for",
        file="project/api/permissions.py",
        old="request.user.is_staff and request.user.has_perm(permission)",
        new="request.user.is_staff",
        tests="tests/api/test_permissions.py",
    ),
    Mutant(
        name="rights: the staff flag that the API asks for",
        file="project/api/permissions.py",
        old="request.user.is_staff and request.user.has_perm(permission)",
        new="request.user.has_perm(permission)",
        tests="tests/api/test_permissions.py",
    ),
    Mutant(
        name="rights: the permission to cancel the order of another",
        file="orders/views.py",
        old='if order.customer_id != user_id(request) and not is_permitted(request, "orders.change_order"):',
        new="if not order:",
        tests="tests/api/test_permissions.py",
    ),
    Mutant(
        name="rights: that only superusers edit accounts of staff",
        file="users/rights.py",
        old="return may_give_rights(actor) or not is_privileged(account)",
        new="return True",
        tests=RIGHTS,
    ),
    Mutant(
        name="rights: the fields that are read-only in the admin",
        file="users/rights_admin.py",
        old="*super().get_readonly_fields(request, obj), *sorted(names))",
        new="*super().get_readonly_fields(request, obj), *sorted(names)[:0])",
        tests=RIGHTS,
    ),
    Mutant(
        name="rights: that rights are read-only to oneself",
        file="users/rights.py",
        old="if account is not None and actor.pk == account.pk:",
        new="if account is None:",
        tests=RIGHTS,
    ),
    Mutant(
        name="rights: that a password is not set without the old one",
        file="users/rights_admin.py",
        old="if self.get_object(request, unquote(id)) == request.user:",
        new="if self.get_object(request, unquote(id)) is None:",
        tests=RIGHTS,
    ),
    Mutant(
        name="rights: that only superusers change groups in the admin",
        file="users/rights_admin.py",
        old="return rights.may_give_rights(request.user)",
        new="return request.user.is_staff",
        times=3,
        tests="tests/test_admin_permissions.py",
    ),
    Mutant(
        name="rights: the guard of each write of rights",
        file="users/rights.py",
        old="if actor is not None and RIGHTS & read_only_fields(actor, account) & set(fields):",
        new="if False:",
        tests=RIGHTS,
    ),
    Mutant(
        name="rights: the guard of each write of groups",
        file="users/rights.py",
        old="if actor is not None and not may_give_rights(actor):",
        new="if False:",
        tests=RIGHTS,
    ),
    Mutant(
        name="rights: the audit of update()",
        file="project/audit/recording.py",
        old="                    records.append(rule.change(Action.CHANGE, current[rule.key], differences))\n",
        new="",
        tests=RECORDING,
    ),
    Mutant(
        name="rights: the audit of save()",
        file="project/audit/recording.py",
        old="    pre_save.connect(remember_stored, sender=model)\n",
        new="",
        tests=RECORDING,
    ),
    Mutant(
        name="rights: the audit of relations",
        file="project/audit/recording.py",
        old="        m2m_changed.connect(record_relation, sender=getattr(model, name).through)",
        new="        pass",
        tests=RECORDING_RIGHTS,
    ),
    Mutant(
        name="rights: secrets without their values in the audit",
        file="project/audit/recording.py",
        old="CHANGED if name in self.secret else",
        new="CHANGED if name is None else",
        tests=RECORDING_RIGHTS,
    ),
    Mutant(
        name="rights: the actor of a request",
        file="project/audit/actors.py",
        old="        token = _request.set(request)",
        new="        token = _request.set(None)",
        tests=RECORDING,
    ),
    Mutant(
        name="rights: the triggers on the audit",
        file="project/audit/migrations/_triggers.py",
        old="BEFORE UPDATE OR DELETE ON audit_change",
        new="BEFORE UPDATE ON audit_change",
        tests=APPEND_ONLY,
        postgresql=True,
    ),
    Mutant(
        name="rights: the triggers on the audit of the bus",
        file="project/bus/migrations/_audit_triggers.py",
        old="BEFORE UPDATE OR DELETE ON bus_auditentry",
        new="BEFORE DELETE ON bus_auditentry",
        tests=APPEND_ONLY,
        postgresql=True,
    ),
    Mutant(
        name="rights: that a customer does not see who of the staff cancelled",
        file="orders/serializers.py",
        old="if order is not None and instance.actor_id not in (None, order.customer_id):",
        new="if order is None:",
        tests="tests/orders/test_views.py",
    ),
    Mutant(
        name="rights: that a customer does not see the reason of staff",
        file="orders/operations/transitions.py",
        old="public = (message.strip() or CANCELLED_BY_THE_SHOP) if by_staff else reason",
        new="public = reason",
        tests="tests/orders/test_transitions.py",
    ),
    Mutant(
        name="rights: that customers' text stays out of events",
        file="orders/operations/transitions.py",
        old='reason="" if by_customer else public',
        new="reason=public",
        tests="tests/orders/test_transitions.py",
    ),
]
