(function () {
  "use strict";
  var content = JSON.parse(document.getElementById("chart-data").textContent);
  // Plotly's own toolbar has a button that sends a chart to its maker: nothing may leave this file
  var settings = {
    responsive: true,
    displaylogo: false,
    plotlyServerURL: "",
    showSendToCloud: false,
    modeBarButtonsToRemove: ["sendChartToCloud"]
  };
  function draw(id, figure) {
    Plotly.react(document.getElementById(id), figure.data, figure.layout, settings);
  }
  Object.keys(content.charts).forEach(function (id) { draw(id, content.charts[id]); });
  var choice = document.getElementById("fan-choice");
  if (!choice) { return; }
  function drawFan() { draw("fan-chart", content.fans[choice.selectedIndex]); }
  choice.addEventListener("change", drawFan);
  choice.selectedIndex = 0;
  drawFan();
})();
