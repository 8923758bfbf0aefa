from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Hashed names for static files, also inside the `import` statements of our own ES modules."""

    support_js_module_import_aggregation = True
    max_post_process_passes = 12  # as deep as a chain of imports may be
