"""Django's admin as an app, with the site of project/admin_site.py."""

from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class AdminConfig(DjangoAdminConfig):
    # A name, because the site can be imported only after all apps.
    default_site = "project.admin_site.AdminSite"
