import gzip
import resource

import pytest

from leakjax.data import adult, fashion_mnist, files
from leakjax.data.cifar import CIFAR10, CIFAR100

CONTENT = bytes(range(256)) * 10


@pytest.fixture
def folders(tmp_path):
    for name in ("source", "downloads", "web"):
        (tmp_path / name).mkdir()
    return tmp_path / "source", tmp_path / "downloads", tmp_path / "web"


def test_a_file_is_found_plain_or_gzipped_and_the_first_folder_wins(folders, original):
    source, downloads, _ = folders
    (downloads / "a.bin").write_bytes(b"never looked at")
    (source / "a.bin.gz").write_bytes(gzip.compress(CONTENT))
    assert files.content(original("a.bin", CONTENT), [source], downloads) == CONTENT
    (source / "a.bin").write_bytes(CONTENT)
    (source / "a.bin.gz").unlink()
    assert files.content(original("a.bin", CONTENT), [source], downloads) == CONTENT


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_missing_file_is_downloaded_once(folders, original, suffix):
    source, downloads, web = folders
    (web / f"a.bin{suffix}").write_bytes(gzip.compress(CONTENT) if suffix else CONTENT)
    described = original("a.bin", CONTENT, url=web.as_uri())
    described = described._replace(url=described.url + suffix)
    assert files.content(described, [source], downloads / "new") == CONTENT
    (web / f"a.bin{suffix}").unlink()
    assert files.content(described, [source], downloads / "new") == CONTENT
    assert [path.name for path in (downloads / "new").iterdir()] == [f"a.bin{suffix}"]


def test_a_download_of_other_content_is_an_error_and_leaves_nothing(folders, original, usage_error):
    source, downloads, web = folders
    (web / "a.bin").write_bytes(CONTENT[::-1])
    message = usage_error(files.content, original("a.bin", CONTENT, url=web.as_uri()), [source], downloads)
    assert f"{web.as_uri()}/a.bin: wrong checksum" in message
    assert list(downloads.iterdir()) == []


def test_offline_says_where_it_looked_and_what_to_do(folders, original, usage_error):
    source, downloads, web = folders
    described = original("a.bin", CONTENT, url=web.as_uri())
    message = usage_error(files.content, described, [source], downloads)
    assert message.startswith(
        f"a.bin: not in {source} or {downloads}, and {described.url} cannot be downloaded"
    )
    assert f"put the file into {downloads} by hand" in message


def test_faults_of_a_file_are_named(folders, original, usage_error):
    source, downloads, _ = folders
    described = original("a.bin", CONTENT)
    path = source / "a.bin"
    path.write_bytes(CONTENT[:-1])
    assert usage_error(files.content, described, [source], downloads) == (
        f"{path}: truncated, has 2559 of 2560 bytes of a.bin"
    )
    path.write_bytes(b"\x01" + CONTENT[1:])
    message = usage_error(files.content, described, [source], downloads)
    assert f"{path}: wrong checksum, expected sha256 {described.sha256} but got " in message
    path.unlink()
    packed = source / "a.bin.gz"
    for damaged in (
        gzip.compress(CONTENT)[:-9],
        b"not gzip at all",
        gzip.compress(CONTENT)[:12] + b"\xff" * 40,
    ):
        packed.write_bytes(damaged)
        message = usage_error(files.content, described, [source], downloads)
        assert f"{packed}: truncated or damaged gzip file" in message


def test_a_packed_file_is_unpacked_no_further_than_its_size(folders, original, usage_error):
    source, downloads, _ = folders
    (source / "a.bin.gz").write_bytes(gzip.compress(bytes(2**28)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    message = usage_error(files.content, original("a.bin", CONTENT), [source], downloads)
    assert "wrong checksum" in message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16  # KiB


def test_everything_is_downloaded_over_https():
    urls = [original.url for split in fashion_mnist.FILES.values() for original in split]
    urls += [original.url for original in (adult.TRAIN, adult.TEST, CIFAR10.original, CIFAR100.original)]
    assert len(urls) == 8
    assert all(url.startswith("https://") for url in urls)
