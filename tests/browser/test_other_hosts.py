"""Nothing leaves the machine: no page asks another host, for icons and fonts either."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.browser.acting import asked_hosts, choose_sample, drag, go_to, others_first, ranking, sample_box


def test_r71_no_page_asks_another_host(page: Page, data: Path, address: str) -> None:
    hosts = asked_hosts(page)
    page.reload()
    page.get_by_role("heading", name="Find an object").wait_for()
    icon = page.locator("link[rel*=icon]").first
    expect(icon).to_have_attribute("href", re.compile(r"^(data:image/svg|/?media/|\./|" + re.escape(address) + ")"))
    choose_sample(page)
    drag(page, sample_box(data), 640)
    assert others_first(ranking(page))
    page.get_by_role("img", name=re.compile(r"^Rank 1: ")).click()
    expect(page.get_by_role("dialog").get_by_role("cell", name=re.compile("^Verification: "))).to_be_visible()
    page.keyboard.press("Escape")
    go_to(page, "Gallery")
    page.get_by_role("img", name="badge-1.jpg", exact=True).click()
    page.get_by_role("dialog").get_by_text("pixels").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Catalogue").click()
    page.get_by_text(re.compile(r"^\d+ groups of \d+ pictures")).wait_for()
    page.get_by_role("link", name="Evaluate").click()
    page.get_by_role("heading", name="Evaluate").wait_for()
    page.wait_for_timeout(500)
    fonts = page.evaluate("[...document.fonts].filter(font => font.status === 'loaded').map(font => font.family)")
    assert any("Material Symbols" in font for font in fonts)
    assert hosts == {urlsplit(address).netloc}


SEND = """async ([session, count]) => {
    const [, token] = document.cookie.match(/_streamlit_xsrf=([^;]+)/);
    const statuses = {};
    for (let number = 0; number < count; number++) {
        const form = new FormData();
        form.append('file', new Blob(['x']), 'x.png');
        const sent = await fetch(`/_stcore/upload_file/${session}/made-up-${number}`,
            { method: 'PUT', body: form, headers: { 'X-Xsrftoken': token } });
        statuses[sent.status] = (statuses[sent.status] || 0) + 1;
    }
    return statuses;
}"""
"""Send files under ids that the server never gave out; returns the number of answers by status."""


def test_r59_an_open_page_cannot_send_any_number_of_files(page: Page, data: Path) -> None:
    picture = data / "sample" / "gallery" / "badge-1.jpg"
    with page.expect_request(lambda request: "/upload_file/" in request.url and request.method == "PUT") as sent:
        page.locator("input[type=file]").set_input_files(picture)
        page.get_by_text("badge-1.jpg, ").wait_for()
    session = sent.value.url.split("/")[-2]
    assert page.evaluate(SEND, [session, 502]) == {"204": 500, "413": 2}  # the searched picture is no upload any more
