from django.contrib.staticfiles.storage import HashedFilesMixin
from whitenoise.storage import CompressedManifestStaticFilesStorage

_STATIC_IMPORTS = HashedFilesMixin._js_module_import_aggregation_patterns[1][:3]  # type: ignore[attr-defined]
# Django's own pattern also takes the `import("./x.js").Type` of our comments for an import, and they go in circles.
_DYNAMIC_IMPORT = (
    r"""(?P<matched>(?P<before>=>|await)\s+import\(["'](?P<url>.*?)["']\))""",
    """%(before)s import("%(url)s")""",
)


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Hashed names for static files, also inside the `import`s of our own ES modules."""

    support_js_module_import_aggregation = True
    _js_module_import_aggregation_patterns = ("*.js", (*_STATIC_IMPORTS, _DYNAMIC_IMPORT))
    max_post_process_passes = 12
    """As deep as a chain of imports may be."""
